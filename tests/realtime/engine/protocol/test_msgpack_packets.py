"""Packets of `socket.io-msgpack-parser`, as the JavaScript encoder writes them."""

import base64

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine.protocol.frames import MalformedPacket
from realtime.engine.protocol.msgpack_packets import (
    decode_packet,
    encode_ack,
    encode_connect,
    encode_connect_error,
    encode_disconnect,
)
from realtime.engine.protocol.packets import Kind

UNDEFINED = msgpack.ExtType(0, b"\x00")


def test_what_clients_send() -> None:
    event = decode_packet(msgpack.packb({"type": 2, "nsp": "/chat", "data": ["a:b", {"x": b"raw"}], "id": 7}))
    assert (event.kind, event.namespace, event.name, list(event.args)) == (Kind.EVENT, "/chat", "a:b", [{"x": b"raw"}])
    assert event.ack_id == b"7"
    connect = decode_packet(msgpack.packb({"type": 0, "nsp": "/chat", "data": {"token": "t"}}))
    assert (connect.kind, connect.auth) == (Kind.CONNECT, {"token": "t"})
    assert decode_packet(msgpack.packb({"type": 0, "nsp": "/", "data": UNDEFINED})).auth == {}
    assert decode_packet(msgpack.packb({"type": 1, "nsp": "/chat", "data": UNDEFINED})).kind is Kind.DISCONNECT
    assert decode_packet(msgpack.packb({"type": 3, "nsp": "/chat", "data": [1], "id": 0})).kind is Kind.ACK


@pytest.mark.parametrize(
    "packet",
    [
        [],
        {},
        {"type": 2, "data": ["a"]},
        {"type": 2, "nsp": "chat", "data": ["a"]},
        {"type": 2, "nsp": "/" + "x" * 300, "data": ["a"]},
        {"type": True, "nsp": "/", "data": {}},
        {"type": 5, "nsp": "/", "data": ["a"]},
        {"type": 4, "nsp": "/", "data": {}},
        {"type": 2, "nsp": "/", "data": []},
        {"type": 2, "nsp": "/", "data": [1]},
        {"type": 2, "nsp": "/", "data": "a"},
        {"type": 2, "nsp": "/", "data": ["a"], "id": -1},
        {"type": 2, "nsp": "/", "data": ["a"], "id": 2**60},
        {"type": 2, "nsp": "/", "data": ["a"], "id": "1"},
        {"type": 2, "nsp": "/", "data": ["disconnect"]},
        {"type": 2, "nsp": "/", "data": ["a"], "more": 1},
        {"type": 2, "nsp": "/", "data": ["a", msgpack.ExtType(9, b"x")]},
        {"type": 0, "nsp": "/", "data": ["a"]},
        {"type": 0, "nsp": "/", "data": {}, "id": 1},
        {"type": 1, "nsp": "/", "data": {}},
        {"type": 3, "nsp": "/", "data": [1]},
        {"type": 3, "nsp": "/", "data": 1, "id": 1},
    ],
    ids=str,
)
def test_what_breaks_the_protocol(packet: object) -> None:
    with pytest.raises(MalformedPacket):
        decode_packet(msgpack.packb(packet))


@given(st.binary(max_size=60))
def test_noise_is_refused_as_such(noise: bytes) -> None:
    try:
        decode_packet(noise)
    except MalformedPacket:
        pass


def test_nesting_without_end_is_refused() -> None:
    with pytest.raises(MalformedPacket):
        decode_packet(b"\x91" * 100_000)


def test_what_the_server_says() -> None:
    said = [
        encode_connect("/chat", "s", "p"),
        encode_connect("/chat", "s"),
        encode_connect_error("/chat", "no", {"code": "forbidden"}),
        encode_disconnect("/chat"),
        encode_ack("/chat", b"7", b'{"ok":true}'),
    ]
    assert [msgpack.unpackb(packet.frame[2:]) for packet in said] == [
        {"type": 0, "nsp": "/chat", "data": {"sid": "s", "pid": "p"}},
        {"type": 0, "nsp": "/chat", "data": {"sid": "s"}},
        {"type": 4, "nsp": "/chat", "data": {"message": "no", "data": {"code": "forbidden"}}},
        {"type": 1, "nsp": "/chat"},
        {"type": 3, "nsp": "/chat", "data": [{"ok": True}], "id": 7},
    ]
    for packet in said:
        assert packet.payload[:1] == b"b" and base64.b64decode(packet.payload[1:]) == packet.frame[2:]

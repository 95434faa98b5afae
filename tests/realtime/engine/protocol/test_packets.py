import pytest

from realtime.contract.unparseable import Unparseable
from realtime.engine.protocol.frames import MalformedPacket
from realtime.engine.protocol.packets import (
    Kind,
    attach,
    decode_packet,
    encode_ack,
    encode_connect,
    encode_connect_error,
    encode_disconnect,
    encode_event,
)


@pytest.mark.parametrize(
    ("text", "namespace", "ack_id", "name", "args"),
    [
        (b'2["a"]', "/", None, "a", []),
        (b'212["a",1,"2"]', "/", b"12", "a", [1, "2"]),
        (b'2/chat,["a",{}]', "/chat", None, "a", [{}]),
        (b'2/chat,0["a"]', "/chat", b"0", "a", []),
        (b'2/chat, ["a"] ', "/chat", None, "a", []),
        ('2/gespräch,["ä"]'.encode(), "/gespräch", None, "ä", []),
    ],
)
def test_an_event_is_read(text: bytes, namespace: str, ack_id: bytes | None, name: str, args: list[object]) -> None:
    packet = decode_packet(text)
    assert (packet.kind, packet.namespace, packet.ack_id, packet.name, packet.args) == (
        Kind.EVENT,
        namespace,
        ack_id,
        name,
        args,
    )


@pytest.mark.parametrize(
    ("text", "namespace", "auth"),
    [
        (b"0", "/", {}),
        (b"0{}", "/", {}),
        (b"0/chat", "/chat", {}),
        (b"0/chat,", "/chat", {}),
        (b'0/chat,{"token":"x"}', "/chat", {"token": "x"}),
    ],
)
def test_a_connect_is_read(text: bytes, namespace: str, auth: dict[str, object]) -> None:
    packet = decode_packet(text)
    assert (packet.kind, packet.namespace, packet.auth) == (Kind.CONNECT, namespace, auth)


def test_a_payload_that_is_refused_unread_keeps_the_head_and_the_name() -> None:
    packet = decode_packet(b'2/chat,5["post:create",' + b"[" * 5000)
    assert (packet.ack_id, packet.name, packet.args) == (b"5", "post:create", [Unparseable("nested too deep")])


def test_a_reserved_name_is_found_before_a_payload_that_is_refused_unread() -> None:
    with pytest.raises(MalformedPacket):
        decode_packet(b'2["connect",' + b"[" * 5000)


def test_attachments_stand_where_their_placeholders_stood() -> None:
    packet = decode_packet(b'52-["a",{"x":[{"_placeholder":true,"num":1}]},{"_placeholder":true,"num":0}]')
    attach(packet, [b"first", b"second"])
    assert packet.args == [{"x": [b"second"]}, b"first"]


@pytest.mark.parametrize("number", ["2", "-1", '"0"', "0.0", "null"])
def test_a_placeholder_must_name_an_attachment(number: str) -> None:
    packet = decode_packet(f'52-["a",{{"_placeholder":true,"num":{number}}}]'.encode())
    with pytest.raises(MalformedPacket):
        attach(packet, [b"first", b"second"])


def test_a_binary_event_may_announce_nothing() -> None:
    assert decode_packet(b'50-["a"]').attachments == 0


def test_server_packets_are_spliced_from_encoded_json() -> None:
    said = [
        encode_event("/chat", "a:b", b'{"x":1}'),
        encode_event("/", "a", b"1"),
        encode_ack("/chat", b"7", b'{"ok":true}'),
        encode_connect("/chat", "s"),
        encode_connect_error("/chat", "No.", {"code": "forbidden"}),
        encode_disconnect("/chat"),
    ]
    assert [packet.payload for packet in said] == [
        b'42/chat,["a:b",{"x":1}]',
        b'42["a",1]',
        b'43/chat,7[{"ok":true}]',
        b'40/chat,{"sid":"s"}',
        b'44/chat,{"message":"No.","data":{"code":"forbidden"}}',
        b"41/chat,",
    ]

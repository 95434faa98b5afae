"""Packets that violate the protocol close the connection; payloads that are merely invalid are answered."""

import msgpack
import pytest

from tests.protocol.dialect import BOTH, JSON, MSGPACK, Dialect, msgpack_message
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import raw_polling, raw_socket

PROTOCOL_ERROR = (4009, "protocol_error")
DEEP = "[" * 100_000 + "]" * 100_000

MALFORMED = {
    "unknown type": "4abc",
    "nothing": "4",
    "no payload": "42/chat,",
    "payload is an object": "42/chat,{}",
    "payload is a string": '42/chat,"echo"',
    "empty list": "42/chat,[]",
    "name is a number": "42/chat,[1]",
    "name is null": "42/chat,[null]",
    "truncated JSON": '42/chat,1["echo","x"',
    "rest after JSON": '42/chat,1["echo"]]',
    "NaN": '42/chat,1["echo",NaN]',
    "control character in a string": '42/chat,1["echo","\n"]',
    "ack id is no number": '42/chat,abc["echo"]',
    "ack id is negative": '42/chat,-1["echo"]',
    "ack id is endless": "42/chat," + "1" * 1000 + '["echo"]',
    "connect with an ack id": "40/feed,1",
    "connect with a list": "40/feed,[]",
    "connect with broken JSON": "40/feed,{",
    "connect with deep JSON": '40/feed,{"a":' + DEEP + "}",
    "disconnect with a payload": '41/chat,["x"]',
    "disconnect before connect": "41/feed,",
    "event before connect": '42/feed,1["echo"]',
    "event to the root before connect": '42["echo"]',
    "ack without an id": "43/chat,[]",
    "ack without a list": "43/chat,1{}",
    "connect error": '44/chat,{"message":"x"}',
    "attachments on a text event": '421-/chat,["echo"]',
    "binary event without a count": '45/chat,["echo"]',
    "eleven attachments": '4511-/chat,["binary"]',
    "a thousand attachments": '451000-/chat,["binary"]',
    "deep JSON without a name": "42/chat,1" + DEEP,
    "namespace without end": "40/" + "x" * 1000,
}
MALFORMED_MSGPACK = {
    "nothing": b"",
    "a byte that means nothing": b"\xc1",
    "truncated": msgpack_message({"type": 2, "nsp": "/chat", "data": ["echo", "x"]})[:-1],
    "rest after the map": msgpack_message({"type": 2, "nsp": "/chat", "data": ["echo"]}) + b"\xc0",
    "a list": msgpack_message([2, "/chat", ["echo"]]),
    "text in it is not UTF-8": msgpack_message({"type": 2, "nsp": "/chat", "data": ["echo", "?"]})[:-1] + b"\xff",
    "a key that is no text": msgpack_message({"type": 2, "nsp": "/chat", "data": ["echo", {1: 2}]}),
    "an unknown extension": msgpack_message({"type": 2, "nsp": "/chat", "data": ["echo", msgpack.ExtType(9, b"x")]}),
    "deep without end": b"\x91" * 100_000,
    "a list longer than the message": b"\xdd\xff\xff\xff\xff",
    **{
        name: msgpack_message(value)
        for name, value in {
            "no type": {"nsp": "/chat", "data": ["echo"]},
            "unknown type": {"type": 7, "nsp": "/chat"},
            "a type of JSON's binary events": {"type": 5, "nsp": "/chat", "data": ["echo"], "attachments": 1},
            "no namespace": {"type": 2, "data": ["echo"]},
            "no payload": {"type": 2, "nsp": "/chat"},
            "payload is an object": {"type": 2, "nsp": "/chat", "data": {}},
            "empty list": {"type": 2, "nsp": "/chat", "data": []},
            "name is a number": {"type": 2, "nsp": "/chat", "data": [1]},
            "ack id is text": {"type": 2, "nsp": "/chat", "data": ["echo"], "id": "abc"},
            "ack id is negative": {"type": 2, "nsp": "/chat", "data": ["echo"], "id": -1},
            "ack id is no whole number": {"type": 2, "nsp": "/chat", "data": ["echo"], "id": 1.5},
            "connect with an ack id": {"type": 0, "nsp": "/feed", "id": 1},
            "connect with a list": {"type": 0, "nsp": "/feed", "data": []},
            "disconnect with a payload": {"type": 1, "nsp": "/chat", "data": ["x"]},
            "disconnect before connect": {"type": 1, "nsp": "/feed"},
            "event before connect": {"type": 2, "nsp": "/feed", "data": ["echo"], "id": 1},
            "ack without an id": {"type": 3, "nsp": "/chat", "data": []},
            "ack without a list": {"type": 3, "nsp": "/chat", "data": {}, "id": 1},
            "connect error": {"type": 4, "nsp": "/chat", "data": {"message": "x"}},
        }.items()
    },
}
RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]


@pytest.mark.parametrize("packet", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_packet_closes_the_connection(packet: str) -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send(packet)
        assert await client.closed() == PROTOCOL_ERROR


@pytest.mark.parametrize("packet", MALFORMED_MSGPACK.values(), ids=MALFORMED_MSGPACK.keys())
async def test_a_malformed_msgpack_packet_closes_the_connection(packet: bytes) -> None:
    async with echo_server() as server, raw_socket(server, MSGPACK) as client:
        await client.connect()
        await client.send(packet)
        assert await client.closed() == PROTOCOL_ERROR


@pytest.mark.parametrize("packet", [msgpack_message({"type": 0, "nsp": "/"}), msgpack_message({"type": 2}), b""])
async def test_msgpack_where_json_is_spoken_closes_the_connection(packet: bytes) -> None:
    async with echo_server() as server, raw_socket(server, JSON) as client:
        await client.send(packet)
        assert await client.closed() == PROTOCOL_ERROR
    async with echo_server() as server, raw_polling(server, JSON) as client:
        assert await client.post(packet) == 200
        assert await client.packets() == ["1"]


@pytest.mark.parametrize("packet", ["40", "40/chat,{}", '42["echo"]', '451-["echo",{}]'])
async def test_json_where_msgpack_is_spoken_closes_the_connection(packet: str) -> None:
    async with echo_server() as server, raw_socket(server, MSGPACK) as client:
        await client.websocket.send_str(packet)
        assert await client.closed() == PROTOCOL_ERROR
    async with echo_server() as server, raw_polling(server, MSGPACK) as client:
        assert await client.post_body(packet) == (200, "ok")
        assert await client.packets() == ["1"]


async def test_a_session_is_unknown_where_the_other_encoding_is_spoken() -> None:
    async with echo_server() as server, raw_polling(server, JSON) as client:
        await client.connect()
        elsewhere = client.url.replace(JSON.path, MSGPACK.path)
        for method in ("GET", "POST"):
            async with client.http.request(method, elsewhere, data="3" if method == "POST" else None) as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, 1)
        await client.post('42/chat,1["echo","x"]')
        assert await client.packets() == ['43/chat,1["x"]']


async def test_a_client_of_one_encoding_and_one_of_the_other_hear_the_same() -> None:
    async with echo_server() as server, raw_socket(server, JSON) as one, raw_socket(server, MSGPACK) as other:
        for client in (one, other):
            await client.connect()
            await client.ask('42/chat,1["join","hall"]')
        await other.send('42/chat,["shout","hall"]')
        assert [await one.receive(), await other.receive()] == ['42/chat,["shouted","hello"]'] * 2


async def test_binaries_stand_in_a_msgpack_packet_itself() -> None:
    packet = msgpack_message({"type": 2, "nsp": "/chat", "data": ["binary", [b"", {"a": b"x" * 300}]], "id": 1})
    async with echo_server() as server, raw_socket(server, MSGPACK) as client, raw_polling(server, MSGPACK) as polling:
        await client.connect()
        assert await client.ask(packet) == "43/chat,1[[0,300]]"
        await polling.connect()
        await polling.post(packet)
        assert await polling.packets() == ["43/chat,1[[0,300]]"]
        assert server.policy.sizes_bytes == [len(packet)] * 2


@pytest.mark.parametrize(("value", "heard"), [(float("nan"), "null"), (2**64 - 1, "18446744073709551615")])
async def test_what_json_cannot_say_is_answered_on_msgpack(value: object, heard: str) -> None:
    async with echo_server() as server, raw_socket(server, MSGPACK) as client:
        await client.connect()
        packet = msgpack_message({"type": 2, "nsp": "/chat", "data": ["size", value], "id": 1})
        assert await client.ask(packet) == f"43/chat,1[{heard}]"


@pytest.mark.parametrize("name", RESERVED)
@BOTH
async def test_a_reserved_event_name_closes_the_connection(name: str, dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        await client.send(f'42/chat,1["{name}"]')
        assert await client.closed() == PROTOCOL_ERROR


@BOTH
async def test_a_malformed_packet_over_polling_closes_the_connection(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        assert await client.post("42/chat,{}") == 200
        assert await client.packets() == ["1"]
        assert await server.policy.until_gone() == [("/chat", "protocol_error")]


@BOTH
async def test_nothing_after_a_malformed_packet_is_handled(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,["echo","before"]', "42/chat,{}", '42/chat,["echo","after"]')
        await server.policy.until_gone()
        assert server.policy.seen == ["before"]


async def test_a_binary_message_that_was_not_announced_closes_the_connection() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send(b"\x01")
        assert await client.closed() == PROTOCOL_ERROR


async def test_a_packet_before_the_announced_attachments_closes_the_connection() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send('451-/chat,1["binary",{"_placeholder":true,"num":0}]', '42/chat,2["echo"]')
        assert await client.closed() == PROTOCOL_ERROR


async def test_a_placeholder_without_an_attachment_closes_the_connection() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send('451-/chat,1["binary",{"_placeholder":true,"num":1}]', b"\x01")
        assert await client.closed() == PROTOCOL_ERROR


async def test_attachments_larger_than_a_packet_close_the_connection() -> None:
    async with echo_server(max_packet_bytes=1000) as server, raw_socket(server) as client:
        await client.connect()
        await client.send('452-/chat,1["binary",{"_placeholder":true,"num":0}]', b"x" * 600, b"x" * 600)
        assert await client.closed() == PROTOCOL_ERROR


async def test_ten_attachments_reach_the_policy() -> None:
    placeholders = ",".join(f'{{"_placeholder":true,"num":{number}}}' for number in range(10))
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        packet = f'4510-/chat,1["binary",[{placeholders}]]'
        parts = [bytes(number) for number in range(10)]
        assert await client.ask(packet, *parts) == "43/chat,1[[0,1,2,3,4,5,6,7,8,9]]"
        assert server.policy.sizes_bytes == [len(packet) - 1 + 45]


@BOTH
async def test_an_unsolicited_ack_is_ignored(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        assert await client.ask("43/chat,1[]", '42/chat,2["echo","x"]') == '43/chat,2["x"]'


async def test_an_unsolicited_ack_with_attachments_is_ignored() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send('461-/chat,1[{"_placeholder":true,"num":0}]', b"x")
        assert await client.ask('42/chat,2["echo","x"]') == '43/chat,2["x"]'


@pytest.mark.parametrize("payload", [DEEP, '{"a":' * 50_000 + "1" + "}" * 50_000, "[" * 100_000])
async def test_a_payload_nested_too_deep_is_answered(payload: str) -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        assert await client.ask(f'42/chat,1["echo",{payload}]') == '43/chat,1[{"unparseable":"nested too deep"}]'


async def test_a_deep_payload_around_an_attachment_is_answered() -> None:
    payload = '{"a":' * 990 + "1" + "}" * 990
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send(f'451-/chat,1["echo",{payload}]', b"x")
        assert await client.receive() == '43/chat,1[{"unparseable":"nested too deep"}]'


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        ("18446744073709551616", 18446744073709551616.0),
        ("-9223372036854775809", -9223372036854775809.0),
        ("9" * 5000, float("inf")),
        ("1e400", float("inf")),
        (r'"\ud800"', "\ud800"),
        (r'"\u0000"', "\0"),
        ('{"a":1,"a":2}', {"a": 2}),
        (r'["\ud800",12345678901234567890]', ["\ud800", 12345678901234567890.0]),
    ],
)
async def test_valid_json_reaches_the_policy_whatever_it_says(payload: str, value: object) -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.ask(f'42/chat,1["yield",{payload}]')
        assert server.policy.seen == [value]

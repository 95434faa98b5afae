"""The WebSocket transport as the Engine.IO protocol describes it."""

import asyncio

import pytest
from aiohttp import WSMsgType

from realtime.engine.websocket.transport import WebSocketTransport
from tests.protocol.dialect import BOTH, Dialect
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import raw_socket

PROTOCOL_ERROR = (4009, "protocol_error")


@BOTH
async def test_an_event_is_answered(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        assert await client.ask('42/chat,7["echo",{"text":"häppchen"}]') == '43/chat,7[{"text":"häppchen"}]'


async def test_a_fragmented_message_is_read_whole() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        writer = client.websocket._writer
        transport = writer.transport
        for first, text in ((0x01, b'42/chat,1["ec'), (0x00, b'ho","x'), (0x80, b'"]')):
            transport.write(bytes((first, 0x80 | len(text), 0, 0, 0, 0)) + text)
        assert await client.receive() == '43/chat,1["x"]'


@pytest.mark.parametrize("message", ["abc", "", "7", "0", "2", "5", "6"])
@BOTH
async def test_what_no_client_may_send_closes_the_connection(message: str, dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.send(message)
        assert await client.closed() == PROTOCOL_ERROR


async def test_text_that_is_not_utf8_closes_the_connection() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.websocket.send_frame(b'42/chat,1["echo","\xff\xfe"]', WSMsgType.TEXT)
        assert await client.closed() == (1007, "invalid_text")


async def test_a_message_as_large_as_allowed_is_read() -> None:
    async with echo_server(max_packet_bytes=1000) as server, raw_socket(server) as client:
        await client.connect()
        head, tail = '42/chat,1["size","', '"]'
        await client.ask(head + "x" * (1000 - len(head) - len(tail)) + tail)
        assert server.policy.sizes_bytes == [1000 - 1]


async def test_a_larger_message_closes_with_1009() -> None:
    async with echo_server(max_packet_bytes=1000) as server, raw_socket(server) as client:
        await client.connect()
        await client.send("4" * 1001)
        assert await client.closed() == (1009, "too_large")
        await server.policy.until_gone()


async def test_a_control_ping_is_answered() -> None:
    async with echo_server() as server, raw_socket(server, autoping=False) as client:
        await client.websocket.ping(b"there?")
        message = await client.websocket.receive()
        assert (message.type, message.data) == (WSMsgType.PONG, b"there?")


@BOTH
async def test_pongs_keep_the_connection(dialect: Dialect) -> None:
    async with echo_server(ping_interval_ms=10, ping_timeout_ms=100) as server, raw_socket(server, dialect) as client:
        await client.connect()
        for _ in range(20):
            assert await client.receive() == "2"
            await client.send("3")
        assert server.policy.gone == []


@BOTH
async def test_a_client_that_does_not_pong_is_gone(dialect: Dialect) -> None:
    async with echo_server(ping_interval_ms=20, ping_timeout_ms=20) as server, raw_socket(server, dialect) as client:
        await client.connect()
        assert await server.policy.until_gone() == [("/chat", "ping timeout")]


async def test_a_client_that_does_not_pong_is_gone_while_its_event_is_in_work_too() -> None:
    async with echo_server(ping_interval_ms=20, ping_timeout_ms=20) as server, raw_socket(server) as client:
        await client.connect()
        await client.send('42/chat,1["wait","x"]')
        await client.closed()
        assert server.policy.gone == []
        server.policy.may_continue.set()
        assert await server.policy.until_gone() == [("/chat", "ping timeout")]


async def test_a_client_does_not_time_out_while_it_is_not_read() -> None:
    ahead = [f'42/chat,{number}["echo","x"]' for number in range(200)]
    async with echo_server(ping_interval_ms=10, ping_timeout_ms=500) as server, raw_socket(server) as client:
        await client.connect()
        await client.send('42/chat,["wait","x"]', *ahead)
        await asyncio.sleep(0.7)
        server.policy.may_continue.set()
        heard = [await client.receive() for _ in range(201)]
        assert heard == ["2", *(f'43/chat,{number}["x"]' for number in range(200))]


@BOTH
async def test_a_close_packet_ends_the_connection_in_order(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        await client.send("1")
        assert await client.closed() == (1000, "")
        assert await server.policy.until_gone() == [("/chat", "transport close")]


@BOTH
async def test_a_close_frame_is_answered_and_ends_the_sessions(dialect: Dialect) -> None:
    async with echo_server() as server, raw_socket(server, dialect) as client:
        await client.connect()
        await client.websocket.close()
        assert await server.policy.until_gone() == [("/chat", "transport close")]
        assert client.websocket.close_code == 1000


async def test_a_torn_socket_ends_the_sessions() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        transport = client.websocket.get_extra_info("socket")
        assert transport is not None
        client.websocket._writer.transport.abort()
        assert await server.policy.until_gone() == [("/chat", "transport close")]


async def test_pushes_of_one_tick_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    flushes = []
    flush = WebSocketTransport.flush

    def counted(transport: WebSocketTransport) -> None:
        flushes.append(1 + len(transport._more or ()))
        flush(transport)

    monkeypatch.setattr(WebSocketTransport, "flush", counted)
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.ask('42/chat,1["push",50]')
        assert 51 in flushes

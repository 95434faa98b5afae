"""A client that does not read is disconnected; one that reads slowly is not."""

import asyncio

from realtime.engine.websocket.transport import WebSocketTransport
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import QUERY, raw_socket

MIB = 1024 * 1024


async def _handshake(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A WebSocket that reads nothing by itself but what the test asks for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    writer.write(
        (
            f"GET {QUERY}websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        ).encode()
    )
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def _frame(text: str) -> bytes:
    return bytes((0x81, 0x80 | len(text), 0, 0, 0, 0)) + text.encode()


async def test_a_client_that_stops_reading_is_disconnected_with_its_reason() -> None:
    async with echo_server() as server:
        _, writer = await _handshake(server.port)
        writer.write(_frame("40/chat,"))
        while not server.policy.sessions:
            await asyncio.sleep(0.001)
        (session,) = server.policy.sessions
        sent = 0
        while not server.policy.gone:
            session.push_volatile("pushed", b'"' + b"x" * 65_536 + b'"')
            sent += 1
            await asyncio.sleep(0)
        assert server.policy.gone == [("/chat", "slow_consumer")]
        # The bound, and what both kernels held.
        assert sent * 65_536 < 8 * MIB
        writer.transport.abort()


async def test_a_client_that_reads_gets_more_than_the_bound() -> None:
    async with echo_server(max_unread_bytes=100_000) as server, raw_socket(server) as client:
        await client.connect()
        for _ in range(20):
            await client.send('42/chat,1["flood",50000]')
            assert len(await client.receive()) > 50_000
            await client.receive()
        assert server.policy.gone == []


async def test_one_message_larger_than_the_bound_is_delivered() -> None:
    async with echo_server(max_unread_bytes=1000) as server, raw_socket(server) as client:
        await client.connect()
        await client.send('42/chat,["flood",5000000]')
        assert len(await client.receive()) > 5_000_000


async def test_an_idle_client_has_nothing_queued() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.ask('42/chat,1["push",10]')
        (session,) = server.policy.sessions
        transport = session.connection._transport
        assert isinstance(transport, WebSocketTransport)
        assert (transport._first, transport._more) == (None, None)

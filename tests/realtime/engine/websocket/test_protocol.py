"""How a WebSocket ends that its client breaks, floods, or does not let go of."""

import asyncio

import pytest

from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.websocket import socket_group
from tests.protocol.echo_server import EchoServer, echo_server
from tests.protocol.raw_client import QUERY, raw_socket
from tests.protocol.websocket_peer import CLOSE, FIN, PING, PONG, REQUEST, TEXT, Peer, connected, frame

HANDSHAKE = REQUEST.replace(b"/any/path", f"{QUERY}websocket".encode())


async def _open(client: Peer) -> None:
    await client.send(HANDSHAKE + frame(FIN | TEXT, b"40/chat,"))
    await client.head()
    assert [(await client.receive())[1][:1] for _ in range(2)] == [b"0", b"4"]


async def _no_sockets(server: EchoServer) -> None:
    while server.engine._sockets._open:
        await asyncio.sleep(0.001)


async def test_a_flood_of_frames_is_closed_with_its_reason_and_others_are_served_on() -> None:
    async with echo_server(max_frames_per_s=1000) as server, raw_socket(server) as other:
        await other.connect()
        async with connected(server.port) as client:
            await _open(client)
            await client.send(frame(FIN | TEXT, b"3") * 100_000)
            assert await client.receive() == (CLOSE, (4029).to_bytes(2, "big") + b"flood")
            assert await server.policy.until_gone() == [("/chat", "flood")]
            assert await other.ask('42/chat,1["echo","x"]') == '43/chat,1["x"]'


async def test_a_broken_frame_ends_the_session_with_its_reason() -> None:
    async with echo_server() as server, connected(server.port) as client:
        await _open(client)
        await client.send(b"\xff")
        assert await client.close_code() == 1002
        assert await server.policy.until_gone() == [("/chat", "broken_frame")]


async def test_a_client_that_closes_after_a_close_is_gone_at_once() -> None:
    async with echo_server() as server, connected(server.port) as client:
        await _open(client)
        server.policy.sessions[0].connection.close(CLOSE_DRAINING)
        assert await client.receive() == (CLOSE, (4012).to_bytes(2, "big") + b"draining")
        assert len(server.engine._sockets._open) == 1
        await client.send(frame(FIN | CLOSE, (4012).to_bytes(2, "big")))
        with pytest.raises(asyncio.IncompleteReadError):
            await client.receive()
        await _no_sockets(server)


async def test_a_client_that_does_not_close_is_aborted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_group, "_CLOSE_WAIT_S", 0.02)
    async with echo_server() as server, connected(server.port) as client:
        await _open(client)
        server.policy.sessions[0].connection.close(CLOSE_DRAINING)
        await _no_sockets(server)


async def test_a_client_that_pings_and_reads_nothing_is_disconnected() -> None:
    async with echo_server(max_frames_per_s=10_000_000) as server, connected(server.port) as client:
        await _open(client)
        pings = frame(FIN | PING, b"x" * 125) * 1000
        while not server.policy.gone:
            client.writer.write(pings)
            await asyncio.sleep(0)
        assert server.policy.gone == [("/chat", "slow_consumer")]


async def test_a_half_closed_socket_is_a_client_that_left() -> None:
    async with echo_server() as server, connected(server.port) as client:
        await _open(client)
        client.writer.write_eof()
        assert await server.policy.until_gone() == [("/chat", "transport close")]


async def test_pongs_of_the_websocket_are_no_pongs_of_the_engine() -> None:
    async with echo_server(ping_interval_ms=20, ping_timeout_ms=20) as server, connected(server.port) as client:
        await _open(client)
        while not server.policy.gone:
            client.writer.write(frame(FIN | PONG))
            await asyncio.sleep(0.005)
        assert server.policy.gone == [("/chat", "ping timeout")]

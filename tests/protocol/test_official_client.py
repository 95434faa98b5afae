"""The official Python client works with the engine on each transport."""

import asyncio

import pytest
import socketio

from tests.protocol.dialect import BOTH, JSON, MSGPACK, Dialect
from tests.protocol.echo_server import EchoServer, echo_server

PARSERS = {JSON: "default", MSGPACK: "msgpack"}
TRANSPORTS = pytest.mark.parametrize("transports", [["polling"], ["websocket"], ["polling", "websocket"]], ids="+".join)


async def _connected(server: EchoServer, dialect: Dialect, transports: list[str]) -> socketio.AsyncClient:
    client = socketio.AsyncClient(reconnection=False, serializer=PARSERS[dialect])
    await client.connect(server.url, transports=transports, namespaces=["/chat"], socketio_path=dialect.path)
    return client


@BOTH
@TRANSPORTS
async def test_an_event_is_answered(transports: list[str], dialect: Dialect) -> None:
    async with echo_server() as server:
        client = await _connected(server, dialect, transports)
        try:
            assert await client.call("echo", {"text": "hello"}, namespace="/chat") == {"text": "hello"}
        finally:
            await client.disconnect()
        # On a WebSocket this client may close the socket before it has sent its DISCONNECT.
        assert [namespace for namespace, _ in await server.policy.until_gone()] == ["/chat"]


@BOTH
@TRANSPORTS
async def test_a_room_hears_a_broadcast(transports: list[str], dialect: Dialect) -> None:
    async with echo_server() as server:
        heard: asyncio.Queue[object] = asyncio.Queue()
        client = await _connected(server, dialect, transports)
        client.on("shouted", heard.put, namespace="/chat")
        try:
            await client.call("join", "hall", namespace="/chat")
            await client.call("shout", "hall", namespace="/chat")
            assert await heard.get() == "hello"
        finally:
            await client.disconnect()


@BOTH
@TRANSPORTS
async def test_many_pushes_at_once_all_arrive_in_order(transports: list[str], dialect: Dialect) -> None:
    async with echo_server() as server:
        heard: asyncio.Queue[object] = asyncio.Queue()
        client = await _connected(server, dialect, transports)
        client.on("pushed", heard.put, namespace="/chat")
        try:
            await client.call("push", 100, namespace="/chat")
            assert [await heard.get() for _ in range(100)] == list(range(100))
        finally:
            await client.disconnect()


@BOTH
@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_client_that_sent_too_much_comes_back_by_itself(transport: str, dialect: Dialect) -> None:
    async with echo_server(max_packet_bytes=1_000) as server:
        client = socketio.AsyncClient(
            reconnection_delay=0.01, reconnection_delay_max=0.02, randomization_factor=0, serializer=PARSERS[dialect]
        )
        connected: asyncio.Queue[None] = asyncio.Queue()

        async def note() -> None:
            await connected.put(None)

        client.on("connect", note, namespace="/chat")
        await client.connect(server.url, transports=[transport], namespaces=["/chat"], socketio_path=dialect.path)
        try:
            await connected.get()
            await client.emit("echo", "x" * 1_000, namespace="/chat")
            assert (await server.policy.until_gone()) == [("/chat", "too_large")]
            await connected.get()
            assert await client.call("echo", "less", namespace="/chat") == "less"
        finally:
            await client.disconnect()

"""The private names of aiohttp that an upgrade needs, and that nothing of aiohttp is kept after it."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from realtime.engine.websocket.upgrade import UpgradedResponse, accept_upgrade
from tests.kit.protocol_server import WebSocketEcho, WebSocketLayer
from tests.protocol.websocket_peer import FIN, REQUEST, TEXT, Peer, connected, frame


class _Slow(WebSocketLayer):
    """Takes its time before it takes a socket over."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.protocol: RequestHandler | None = None

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.protocol = request.protocol
        self.asked.set()
        await self.go.wait()
        socket = accept_upgrade(request, self.group)
        if socket is not None:
            socket.set_receiver(WebSocketEcho(socket))
        return UpgradedResponse()


@asynccontextmanager
async def _slow(*, handler_cancellation: bool = False) -> AsyncIterator[tuple[_Slow, Peer]]:
    layer, app = _Slow(), web.Application()
    layer.attach(app)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=handler_cancellation)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with connected(runner.addresses[0][1]) as client:
            await client.send(REQUEST)
            await layer.asked.wait()
            yield layer, client
        await layer.group.wait_closed(1)
    finally:
        await runner.cleanup()


def _kept(protocol: RequestHandler) -> tuple[bool, ...]:
    return tuple(part is not None for part in (protocol.transport, protocol._task_handler, protocol._parser))


def _left_of_aiohttp() -> list[object]:
    gc.collect()
    return [thing for thing in gc.get_objects() if isinstance(thing, (RequestHandler, web.Request, UpgradedResponse))]


async def test_the_private_names_of_aiohttp_are_there() -> None:
    async with _slow() as (layer, client):
        protocol = layer.protocol
        assert protocol is not None
        assert protocol._message_tail == b"", "what came behind the upgrade"
        assert protocol._upgraded, "aiohttp reads no further than the upgrade"
        assert _kept(protocol) == (True, True, True)
        layer.go.set()
        await client.head()
        assert _kept(protocol) == (False, False, False)


async def test_nothing_of_aiohttp_stays_behind_an_open_socket() -> None:
    tasks = asyncio.all_tasks()
    before = {id(thing) for thing in _left_of_aiohttp()}  # aiohttp remembers the applications it has served
    async with _slow() as (layer, client):
        layer.go.set()
        await client.head()
        layer.protocol = None
        await asyncio.sleep(0)
        assert [thing for thing in _left_of_aiohttp() if id(thing) not in before] == []
        assert asyncio.all_tasks() == tasks
        await client.send(frame(FIN | TEXT, b"still there?"))
        assert await client.receive() == (TEXT, b"still there?")


async def test_bytes_that_came_before_the_answer_are_read_first_and_reading_goes_on() -> None:
    """More than aiohttp keeps without pausing the socket."""
    sent = [b"%05d" % number * 200 for number in range(1000)]
    async with _slow() as (layer, client):
        sending = asyncio.create_task(client.send(*(frame(FIN | TEXT, text) for text in sent)))
        assert layer.protocol is not None
        while not layer.protocol._buffer_paused:
            await asyncio.sleep(0.001)
        layer.go.set()
        await client.head()
        assert [(await client.receive())[1] for _ in sent] == sent
        await sending


async def test_an_upgrade_is_accepted_where_aiohttp_cancels_handlers() -> None:
    async with _slow(handler_cancellation=True) as (layer, client):
        layer.go.set()
        await client.head()
        await client.send(frame(FIN | TEXT, b"still there?"))
        assert await client.receive() == (TEXT, b"still there?")


async def test_the_upgrade_of_a_client_that_is_gone_is_not_accepted(caplog: pytest.LogCaptureFixture) -> None:
    async with _slow() as (layer, client):
        client.writer.transport.abort()
        assert layer.protocol is not None
        while layer.protocol.transport is not None:
            await asyncio.sleep(0.001)
        layer.go.set()
        await asyncio.sleep(0.01)
        assert layer.group._open == set()
    assert caplog.records == []

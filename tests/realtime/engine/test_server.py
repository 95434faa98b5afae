"""How an engine stops."""

import asyncio

import pytest
from aiohttp import ClientSession

from realtime.contract.errors import CLOSE_DRAINING
from tests.protocol.echo_server import EchoServer, echo_server
from tests.protocol.raw_client import QUERY, raw_polling, raw_socket


async def _stop(server: EchoServer, deadline_s: float = 2) -> None:
    await server.engine.close(CLOSE_DRAINING, deadline_s=deadline_s)


async def test_every_client_is_sent_the_reason() -> None:
    async with echo_server() as server, raw_socket(server) as one, raw_socket(server) as other:
        await one.connect()
        stopping = asyncio.create_task(_stop(server))
        assert [await one.closed(), await other.closed()] == [(4012, "draining")] * 2
        await stopping


async def test_a_waiting_poll_is_answered_with_a_close() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        await client.connect()
        poll = asyncio.create_task(client.packets())
        await asyncio.sleep(0.02)
        await _stop(server)
        assert await poll == ["1"]


async def test_afterwards_nothing_is_left() -> None:
    async with echo_server() as server, raw_socket(server) as socket, raw_polling(server) as polling:
        await socket.connect()
        await polling.connect()
        stopping = asyncio.create_task(_stop(server))
        await socket.closed()
        await stopping
        assert sorted(server.policy.gone) == [("/chat", "draining"), ("/chat", "draining")]
        assert (server.engine._connections.tasks(), server.engine._connections.all(), server.hub.connections()) == (
            set(),
            (),
            (),
        )


async def test_an_event_in_work_is_answered_first() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send('42/chat,1["wait","x"]')
        await server.policy.arrived.wait()
        stopping = asyncio.create_task(_stop(server))
        await asyncio.sleep(0.01)
        server.policy.may_continue.set()
        assert await client.receive() == '43/chat,1["x"]'
        assert await client.closed() == (4012, "draining")
        await stopping


async def test_an_event_that_does_not_end_is_cancelled_at_the_deadline() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await client.send('42/chat,1["wait","x"]')
        await server.policy.arrived.wait()
        await _stop(server, deadline_s=0.05)
        assert server.policy.gone == [("/chat", "draining")]
        assert server.engine._connections.tasks() == set()


async def test_a_client_that_does_not_answer_the_close_is_aborted() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        await _stop(server, deadline_s=0.05)
        assert server.engine._connections.tasks() == set()


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_handshake_afterwards_is_refused(transport: str) -> None:
    headers = {"Upgrade": "websocket", "Connection": "Upgrade"} if transport == "websocket" else {}
    async with echo_server() as server, ClientSession() as http:
        await _stop(server)
        async with http.get(f"{server.url}{QUERY}{transport}", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (503, "draining")
            assert answer.headers["Retry-After"] == "1"


async def test_stopping_twice_is_stopping_once() -> None:
    async with echo_server() as server:
        await _stop(server)
        await _stop(server)

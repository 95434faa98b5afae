"""How a polling client upgrades to a WebSocket without lost or reordered packets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import ClientSession, WSMsgType, WSServerHandshakeError

from realtime.contract.errors import CLOSE_FLOOD
from tests.protocol.dialect import BOTH, Dialect
from tests.protocol.echo_server import echo_server
from tests.protocol.raw_client import QUERY, RawPolling, RawSocket, raw_polling, raw_socket


@asynccontextmanager
async def _upgraded(client: RawPolling) -> AsyncIterator[RawSocket]:
    async with client.websocket() as websocket:
        assert await websocket.ask("2probe") == "3probe"
        await websocket.send("5")
        yield websocket


@BOTH
async def test_events_are_answered_on_the_new_transport(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        async with _upgraded(client) as websocket:
            await websocket.send('42/chat,1["echo","x"]')
            assert await websocket.receive() == '43/chat,1["x"]'


@BOTH
async def test_the_session_stays_the_same(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        (session,) = server.policy.sessions
        transports = [session.connection.transport]
        async with _upgraded(client) as websocket:
            await websocket.send('42/chat,1["echo","x"]')
            await websocket.receive()
            transports.append(session.connection.transport)
        assert transports == ["polling", "websocket"]
        assert server.policy.sessions == [session]


@BOTH
async def test_a_waiting_poll_is_released(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        poll = asyncio.create_task(client.packets())
        await asyncio.sleep(0.02)
        async with _upgraded(client):
            assert await poll == ["6"]


@BOTH
async def test_what_was_not_fetched_comes_first_on_the_new_transport(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,["push",20]')
        async with _upgraded(client) as websocket:
            assert [await websocket.receive() for _ in range(20)] == [
                f'42/chat,["pushed",{number}]' for number in range(20)
            ]


@BOTH
async def test_an_event_still_in_work_is_finished_before_those_on_the_new_transport(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        await client.post('42/chat,1["wait","first"]')
        async with _upgraded(client) as websocket:
            await websocket.send('42/chat,2["echo","second"]')
            await asyncio.sleep(0.02)
            server.policy.may_continue.set()
            assert [await websocket.receive() for _ in range(2)] == ['43/chat,1["first"]', '43/chat,2["second"]']


@BOTH
async def test_requests_after_an_upgrade_are_refused_and_disturb_nothing(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        async with _upgraded(client) as websocket:
            await websocket.send('42/chat,1["echo","x"]')
            await websocket.receive()
            assert (await client.poll())[0] == 400
            assert await client.post('42/chat,2["echo","y"]') == 400
            await websocket.send('42/chat,3["echo","z"]')
            assert await websocket.receive() == '43/chat,3["z"]'


@BOTH
async def test_a_second_websocket_is_closed_and_disturbs_nothing(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        async with _upgraded(client) as websocket:
            await websocket.send('42/chat,1["echo","x"]')
            await websocket.receive()
            async with client.websocket() as second:
                await second.send('42/chat,2["echo","y"]')
                assert await second.closed() == (4009, "protocol_error")
            await websocket.send('42/chat,3["echo","z"]')
            assert await websocket.receive() == '43/chat,3["z"]'


async def test_a_websocket_beside_one_that_never_polled_is_closed_too() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        await client.connect()
        query = f"{QUERY}websocket&sid={client.opened['sid']}"
        async with ClientSession() as http, http.ws_connect(server.url + query) as second:
            assert (await second.receive()).type is WSMsgType.CLOSE
        assert await client.ask('42/chat,1["echo","x"]') == '43/chat,1["x"]'


@BOTH
async def test_a_websocket_for_a_session_that_has_ended_is_refused(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        server.policy.sessions[0].connection.close(CLOSE_FLOOD)
        await server.policy.until_gone()
        with pytest.raises(WSServerHandshakeError):
            await client.http.ws_connect(client.websocket_url)


@BOTH
async def test_a_failed_probe_leaves_the_client_polling(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        async with client.websocket() as websocket:
            await websocket.send("4nonsense")
            assert await websocket.closed() == (1000, "")
        await client.post('42/chat,1["echo","x"]')
        assert await client.packets() == ['43/chat,1["x"]']


@BOTH
async def test_an_upgrade_given_up_after_the_probe_leaves_the_client_polling(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        async with client.websocket() as websocket:
            await websocket.send("2probe")
            await websocket.receive()
        await client.post('42/chat,1["echo","x"]')
        assert await client.packets() == ['43/chat,1["x"]']


@BOTH
async def test_the_end_of_the_websocket_ends_the_connection(dialect: Dialect) -> None:
    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        async with _upgraded(client):
            pass
        assert await server.policy.until_gone() == [("/chat", "transport close")]


@BOTH
async def test_pushes_that_flow_during_the_upgrade_arrive_once_and_in_order(dialect: Dialect) -> None:
    heard: list[str] = []
    sent = 0
    probed = asyncio.Event()

    async with echo_server() as server, raw_polling(server, dialect) as client:
        await client.connect()
        (session,) = server.policy.sessions

        async def push_until_upgraded() -> None:
            nonlocal sent
            while session.connection.transport == "polling" or sent % 100:
                session.push_volatile("pushed", str(sent).encode())
                sent += 1
                await asyncio.sleep(0.0005)

        async def poll_until_probed() -> None:
            while not probed.is_set():
                heard.extend(await client.packets())

        async with client.websocket() as websocket:
            pushing = asyncio.create_task(push_until_upgraded())
            polling = asyncio.create_task(poll_until_probed())
            await websocket.send("2probe")
            assert await websocket.receive() == "3probe"
            probed.set()
            await polling
            heard_by_polling = len(heard)
            await websocket.send("5")
            await pushing
            while f'42/chat,["pushed",{sent - 1}]' not in heard:
                heard.append(await websocket.receive())
        assert 0 < heard_by_polling < len(heard)
        assert [packet for packet in heard if packet != "6"] == [
            f'42/chat,["pushed",{number}]' for number in range(sent)
        ]

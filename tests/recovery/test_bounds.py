"""A node keeps a bounded amount for clients that are away; clients beyond the bounds get a new session."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import orjson
from aiohttp import ClientWebSocketResponse

from realtime.engine.recovery.recoverable_sessions import MAX_KEPT_PER_USER
from realtime.redis.client import open_redis
from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.recovery.talk import say, two, two_who_talk, until_texts

NOBODY = "http://127.0.0.1:9"


@asynccontextmanager
async def joined(server: RunningServer, person: Person, **auth: object) -> AsyncIterator[ClientWebSocketResponse]:
    """A client without a library that joins the chat and drops its connection without a close."""
    async with server.http.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as websocket:
        assert (await websocket.receive_str(timeout=10)).startswith("0")
        await websocket.send_str(f"40{CHAT},{orjson.dumps({'token': person.access_token, **auth}).decode()}")
        assert (await websocket.receive_str(timeout=10)).startswith(f"40{CHAT},")
        yield websocket


async def test_beyond_the_bound_the_sessions_that_were_lost_first_expire(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    settings = settings_for_tests(database_url, redis_url, recovery_sessions_max=2)
    async with running_server(settings) as server, AsyncExitStack() as stack:
        _, reader = await two(server)
        devices: list[RecoveringDevice] = []
        for _ in range(4):
            opened = recovering_device(clients, server.url, token=reader.access_token)
            devices.append(await stack.enter_async_context(opened))
        for number, device in enumerate(devices, 1):
            await device.ask("aim", url=NOBODY)
            await device.ask("drop")
            while len(server.node.hub.sessions(CHAT)) > len(devices) - number:
                await asyncio.sleep(0.01)
            assert len(server.node.hub.members(CHAT, f"user:{reader.id}")) == len(devices) - max(0, number - 2)
        for device in reversed(devices):
            await device.ask("aim", url=server.url)
            await device.joins(2)
        assert [device.joined[1].recovered for device in devices] == [False, False, True, True]
        for device in devices[:2]:
            await device.until_told(CHAT, "resync")


async def test_clients_that_move_to_another_node_together_share_what_they_missed(
    nodes: list[RunningServer], clients: JavaScript
) -> None:
    writer, reader, conversation = await two_who_talk(nodes[0])
    async with AsyncExitStack() as stack:
        devices: list[RecoveringDevice] = []
        for _ in range(3):
            opened = recovering_device(clients, nodes[1].url, token=reader.access_token)
            devices.append(await stack.enter_async_context(opened))
        await say(writer, conversation, "one")
        for device in devices:
            await until_texts(device, "one")
        offset = (await devices[0].ask("known", namespace=CHAT))["offset"]
        for device in devices:
            await device.ask("aim", url=NOBODY)
            await device.ask("drop")
        await say(writer, conversation, "two", "three")
        for device in devices:
            await device.ask("aim", url=nodes[2].url)
            await until_texts(device, "one", "two", "three")
        recovery_states = [
            session.recovery_state for session in nodes[2].node.hub.sessions(CHAT) if session.recovery_state is not None
        ]
        kept = [recovery_state.missed(offset) or [] for recovery_state in recovery_states]
        assert [len(pushes) for pushes in kept] == [2, 2, 2]
        assert len({id(push) for pushes in kept for push in pushes}) == 2


async def test_the_sessions_of_one_user_do_not_displace_those_of_others(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as server, AsyncExitStack() as stack:
        crowd, other = await two(server)
        device = await stack.enter_async_context(recovering_device(clients, server.url, token=other.access_token))
        await device.ask("aim", url=NOBODY)
        await device.ask("drop")
        while server.node.hub.sessions(CHAT):
            await asyncio.sleep(0.01)
        for _ in range(MAX_KEPT_PER_USER + 3):
            async with joined(server, crowd, recovery=True):
                pass
        async with asyncio.timeout(10):
            while len(server.node.hub.members(CHAT, f"user:{crowd.id}")) > MAX_KEPT_PER_USER:
                await asyncio.sleep(0.01)
        await device.ask("aim", url=server.url)
        assert (await device.joins(2)).recovered


async def test_an_id_that_no_node_can_have_given_out_is_not_looked_up(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as server:
        _, reader = await two(server)
        broker = open_redis(redis_url, client_name="test")

        async def lookups() -> int:
            found = (await broker.info("commandstats")).get("cmdstat_pubsub|numsub", {"calls": 0})
            return int(found["calls"])

        async def told_again(pid: str) -> bool:
            async with joined(server, reader, recovery=True, pid=pid, offset="1" * 200_000) as websocket:
                return "resync" in await websocket.receive_str(timeout=10)

        before = await lookups()
        assert await told_again("nobody." + "x" * 200_000)
        assert await lookups() == before
        assert await told_again("nobody.x")
        assert await lookups() == before + 1, "one that might be is"
        await broker.aclose()

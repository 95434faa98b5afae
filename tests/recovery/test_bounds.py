"""What is kept for clients that are away is bounded, and who is beyond the bounds begins anew."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.recovery.talk import say, two, two_who_talk, until_texts

NOBODY = "http://127.0.0.1:9"


async def test_of_too_many_sessions_the_first_to_be_lost_go(
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


async def test_a_crowd_that_moves_to_another_node_shares_what_it_missed(
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
        trails = [session.trail for session in nodes[2].node.hub.sessions(CHAT) if session.trail is not None]
        kept = [trail.missed(offset) or [] for trail in trails]
        assert [len(pushes) for pushes in kept] == [2, 2, 2]
        assert len({id(push) for pushes in kept for push in pushes}) == 2

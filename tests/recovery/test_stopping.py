"""What happens to sessions when their node stops, is killed, or was the only one."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript
from tests.journeys.servers import ServerProcess, settings_of_processes
from tests.kit.recovering import recovering_device
from tests.kit.server import running_server, settings_for_tests
from tests.recovery.talk import CREATED, at, offsets, say, texts, two_who_talk, until_texts

RESYNC_ALL = {"scope": "all"}


@pytest.mark.parametrize("transports", [["websocket"], ["polling"]], ids=["websocket", "polling"])
@pytest.mark.parametrize("way", ["told", "lost before", "unread"])
async def test_another_node_resumes_the_sessions_of_a_stopped_one(
    database_url: str, redis_url: str, clients: JavaScript, transports: list[str], way: str
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as staying:
        writer, reader, conversation = await two_who_talk(staying)
        async with running_server(settings, work=False) as stopping:
            device_opened = recovering_device(
                clients, stopping.url, token=reader.access_token, transports=transports, namespaces=["/chat", "/users"]
            )
            device = await device_opened.__aenter__()
            await say(writer, conversation, "one")
            await until_texts(device, "one")
            if way == "lost before":
                await device.ask("aim", url="http://127.0.0.1:9")
                await device.ask("drop")
                await say(writer, conversation, "two")
            elif way == "unread":
                await device.ask("aim", url="http://127.0.0.1:9")
                await device.ask("slip")
                await say(writer, conversation, "two")
            else:
                await say(writer, conversation, "two")
                await until_texts(device, "one", "two")
                await device.ask("aim", url=staying.url)
        try:
            await device.ask("aim", url=staying.url)
            await say(writer, conversation, "three")
            await device.joins(4)
            await say(writer, conversation, "four")
            await until_texts(device, "one", "two", "three", "four")
            assert [joined.recovered for joined in device.joined[2:]] == [True, True]
            assert {joined.sid for joined in device.joined[2:]} == {joined.sid for joined in device.joined[:2]}
            assert len(set(offsets(device))) == 4 and device.told(CHAT, "resync") == []
            if way == "told":
                assert len(device.told(CHAT, "server:draining")) == 1
            # There it can disconnect and recover as on any node.
            await device.ask("drop")
            await say(writer, conversation, "five")
            await device.joins(6)
            await until_texts(device, "one", "two", "three", "four", "five")
        finally:
            await device_opened.__aexit__(None, None, None)


async def test_nothing_is_lost_or_doubled_while_nodes_are_replaced(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as staying:
        writer, reader, conversation = await two_who_talk(staying)
        watcher = await reader.device()
        done = False

        async def write() -> int:
            number = 0
            while not done:
                await say(writer, conversation, str(number))
                number += 1
            return number

        async with running_server(settings, work=False) as first:
            opened = recovering_device(clients, first.url, token=reader.access_token)
            device = await opened.__aenter__()
            writing = asyncio.create_task(write())
            await device.until_told(CHAT, CREATED, 5)
            await device.ask("aim", url=staying.url)
        try:
            assert (await device.joins(2)).recovered
            for joins in (3, 4):
                async with running_server(settings, work=False) as next_one:
                    await device.ask("aim", url=next_one.url)
                    await device.ask("drop")
                    assert (await device.joins(2 * joins - 3)).recovered
                    await device.ask("aim", url=staying.url)
                assert (await device.joins(2 * joins - 2)).recovered
            done = True
            count = await writing
            await device.until_told(CHAT, CREATED, count)
            steady = [(await watcher.expect_push(CREATED))["message"]["text"] for _ in range(count)]
            assert texts(device) == steady
        finally:
            await opened.__aexit__(None, None, None)


@pytest.mark.parametrize("heard", [0, 2])
async def test_a_session_whose_client_is_away_reaches_the_last_of_several_targets(
    database_url: str, redis_url: str, clients: JavaScript, heard: int
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with AsyncExitStack() as first, AsyncExitStack() as last:
        node = await first.enter_async_context(running_server(settings))
        writer, reader, conversation = await two_who_talk(node)
        device = await last.enter_async_context(recovering_device(clients, node.url, token=reader.access_token))
        said: list[str] = []

        async def go_on(*texts: str) -> None:
            said.extend(texts)
            await say(writer, conversation, *texts)

        await go_on(*(f"heard {number}" for number in range(heard)))
        await device.until(lambda: texts(device) == said)
        # The pushes that it missed are written to its socket, which it does not read.
        await device.ask("aim", url="http://127.0.0.1:9")
        await device.ask("slip")
        await go_on("missed 0")
        stack = first
        for number in range(1, 4):
            target_stack = await last.enter_async_context(AsyncExitStack())
            target = await target_stack.enter_async_context(running_server(settings))
            await stack.aclose()
            writer, stack = at(target, writer), target_stack
            await go_on(f"missed {number}")
        await device.ask("aim", url=target.url)
        assert (await device.joins(2)).recovered
        await go_on("back")
        await until_texts(device, *said)
        assert device.told(CHAT, "resync") == []


async def test_clients_of_a_lone_node_get_new_sessions(database_url: str, redis_url: str, clients: JavaScript) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as old:
        writer, reader, conversation = await two_who_talk(old)
        opened = recovering_device(clients, old.url, token=reader.access_token)
        device = await opened.__aenter__()
        await say(writer, conversation, "one")
        await until_texts(device, "one")
    async with running_server(settings) as new:
        try:
            await device.ask("aim", url=new.url)
            assert not (await device.joins(2)).recovered
            ((told, _),) = await device.until_told(CHAT, "resync")
            assert told == RESYNC_ALL
        finally:
            await opened.__aexit__(None, None, None)


async def test_the_sessions_of_a_killed_node_are_lost(
    database_url: str, redis_url: str, clients: JavaScript, tmp_path: Path
) -> None:
    environment = settings_of_processes(database_url, redis_url, tmp_path)
    settings = settings_for_tests(database_url, redis_url, token_secrets=environment["TOKEN_SECRETS"])
    async with running_server(settings) as staying:
        writer, reader, conversation = await two_who_talk(staying)
        doomed = ServerProcess("serve", environment, tmp_path / "log")
        await doomed.started()
        async with recovering_device(clients, doomed.url, token=reader.access_token) as device:
            await say(writer, conversation, "one")
            await until_texts(device, "one")
            await device.ask("aim", url=staying.url)
            doomed.kill()
            assert not (await device.joins(2)).recovered
            ((told, _),) = await device.until_told(CHAT, "resync")
            assert told == RESYNC_ALL
            await say(writer, conversation, "two")
            await until_texts(device, "one", "two")


async def test_a_session_is_kept_for_its_window_only(database_url: str, redis_url: str, clients: JavaScript) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, recovery_window_s=0.5)) as server:
        writer, reader, conversation = await two_who_talk(server)
        async with recovering_device(clients, server.url, token=reader.access_token) as device:
            await say(writer, conversation, "one")
            await until_texts(device, "one")
            await device.ask("aim", url="http://127.0.0.1:9")
            await device.ask("drop")
            while server.node.hub.members(CHAT, f"user:{reader.id}"):
                await asyncio.sleep(0.05)
            await device.ask("aim", url=server.url)
            assert not (await device.joins(2)).recovered
            await device.until_told(CHAT, "resync")


async def test_a_client_that_missed_more_than_is_kept_gets_a_new_session(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, recovery_log_max_bytes=65_536)) as server:
        writer, reader, conversation = await two_who_talk(server)
        async with recovering_device(clients, server.url, token=reader.access_token) as device:
            await say(writer, conversation, "one")
            await until_texts(device, "one")
            await device.ask("aim", url="http://127.0.0.1:9")
            await device.ask("drop")
            await say(writer, conversation, *("x" * 4000 for _ in range(10)))
            await device.ask("aim", url=server.url)
            assert not (await device.joins(2)).recovered
            await device.until_told(CHAT, "resync")
            assert texts(device) == ["one"]

"""If a node has missed pushes, or cannot be asked for them, a session is not recovered: never in part."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest
import redis.asyncio

from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript
from tests.journeys.servers import ServerProcess, settings_of_processes
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey
from tests.recovery.talk import say, texts, two_who_talk, until_texts

NOBODY = "http://127.0.0.1:9"
RESYNC_ALL = {"scope": "all"}


async def begins_anew(device: RecoveringDevice, joins: int = 2) -> None:
    assert not (await device.joins(joins)).recovered
    told = await device.until_told(CHAT, "resync")
    assert RESYNC_ALL in [args[0] for args in told]


async def goes_away(device: RecoveringDevice, server: RunningServer) -> None:
    """Returns when the server has noticed."""
    await device.ask("aim", url=NOBODY)
    await device.ask("drop")
    async with asyncio.timeout(10):
        while any(session.recovery_state is not None for session in server.node.hub.sessions(CHAT)):
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("cut", ["subscribers", "all of it"])
async def test_a_gap_while_a_client_is_away_is_no_recovery(
    database_url: str, valkey: Valkey, clients: JavaScript, cut: str
) -> None:
    async with running_server(settings_for_tests(database_url, valkey.url)) as server:
        writer, reader, conversation = await two_who_talk(server)
        async with recovering_device(clients, server.url, token=reader.access_token) as device:
            witness = await reader.device(namespaces=[CHAT])
            await say(writer, conversation, "one")
            await until_texts(device, "one")
            await goes_away(device, server)
            await say(writer, conversation, "two")
            if cut == "subscribers":
                admin = redis.asyncio.Redis.from_url(valkey.url)
                assert await admin.client_kill_filter(_type="pubsub") >= 1
                await admin.aclose()
            else:
                valkey.restart()
            # The client that stayed connected is told of the gap.
            await witness.expect_push("resync", timeout_s=20)
            await say(writer, conversation, "three")
            await device.ask("aim", url=server.url)
            await begins_anew(device)
            assert texts(device) == ["one"]
            await say(writer, conversation, "four")
            await until_texts(device, "one", "four")
            # The gap is over: a session that is lost now is recovered.
            await device.ask("drop")
            await say(writer, conversation, "five")
            assert (await device.joins(3)).recovered
            await until_texts(device, "one", "four", "five")


async def test_a_node_that_hangs_keeps_no_client_waiting(
    database_url: str, redis_url: str, clients: JavaScript, tmp_path: Path
) -> None:
    environment = settings_of_processes(database_url, redis_url, tmp_path)
    settings = settings_for_tests(database_url, redis_url, token_secrets=environment["TOKEN_SECRETS"])
    async with running_server(settings) as staying:
        writer, reader, conversation = await two_who_talk(staying)
        hanging = ServerProcess("serve", environment, tmp_path / "log")
        await hanging.started()
        try:
            async with recovering_device(clients, hanging.url, token=reader.access_token) as device:
                await say(writer, conversation, "one")
                await until_texts(device, "one")
                await device.ask("aim", url=staying.url)
                os.kill(hanging.pid, signal.SIGSTOP)
                # The suspended node does not read the client's close, and the broker takes it for alive.
                await device.ask("slip")
                await begins_anew(device)
                await say(writer, conversation, "two")
                await until_texts(device, "one", "two")
                os.kill(hanging.pid, signal.SIGCONT)
                # After it resumes, the node answers the old request; no caller waits for that any more.
                await device.ask("drop")
                await say(writer, conversation, "three")
                assert (await device.joins(3)).recovered
                await until_texts(device, "one", "two", "three")
        finally:
            os.kill(hanging.pid, signal.SIGCONT)
            hanging.kill()


async def test_a_handoff_of_more_than_can_be_sent_is_whole_or_nothing(
    database_url: str, redis_url: str, clients: JavaScript
) -> None:
    settings = settings_for_tests(database_url, redis_url, max_unread_bytes=64 * 1024 * 1024)
    async with running_server(settings) as staying:
        writer, reader, conversation = await two_who_talk(staying)
        many = await asyncio.gather(*(writer.device(namespaces=[CHAT]) for _ in range(8)))
        async with running_server(settings, work=False) as stopping:
            opened = [recovering_device(clients, stopping.url, token=reader.access_token) for _ in range(2)]
            early, late = [await one.__aenter__() for one in opened]
            await say(writer, conversation, "one")
            for device in (early, late):
                await until_texts(device, "one")
            await early.ask("aim", url=NOBODY)
            await early.ask("drop")
            payload = {"conversation_id": conversation, "text": "x" * 4_000}
            await asyncio.gather(*(author.do(CHAT, "message:send", payload) for _ in range(100) for author in many))
            await late.until_told(CHAT, "message:created", 801)
            await late.ask("aim", url=NOBODY)
            await late.ask("drop")
            await say(writer, conversation, "two")
        try:
            for device in (early, late):
                await device.ask("aim", url=staying.url)
            await begins_anew(early)
            assert (await late.joins(2)).recovered
            await late.until_told(CHAT, "message:created", 802)
            assert texts(late)[-1] == "two" and late.told(CHAT, "resync") == []
            assert texts(early) == ["one"]
        finally:
            for one in opened:
                await one.__aexit__(None, None, None)

"""A client that reads too slowly is disconnected, and learns why when it reconnects."""

from __future__ import annotations

import pytest

from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import recovering_device
from tests.kit.server import running_server, settings_for_tests
from tests.recovery.talk import say, texts, two_who_talk, until_texts

UNREAD_BYTES = 1024 * 1024


@pytest.mark.parametrize(
    ("asks", "comes_to"), [(True, "the same node"), (True, "another node"), (False, "the same node")]
)
async def test_a_stalled_client_learns_why_it_was_disconnected(
    database_url: str, redis_url: str, clients: JavaScript, asks: bool, comes_to: str
) -> None:
    """Only its own node recognises a client that did not ask for recovery."""
    settings = settings_for_tests(database_url, redis_url, max_unread_bytes=65_536)
    async with running_server(settings) as server, running_server(settings, work=False) as other:
        writer, reader, conversation = await two_who_talk(server)
        async with recovering_device(clients, server.url, token=reader.access_token, recovery=asks) as device:
            (session,) = [one for one in server.node.hub.sessions(CHAT) if one.id == device.joined[0].sid]
            await device.ask("stall")
            while session in server.node.hub.sessions(CHAT):
                await say(writer, conversation, *("x" * 4000 for _ in range(20)))
            await device.ask("slip", url=server.url if comes_to == "the same node" else other.url)
            assert not (await device.joins(2)).recovered
            ((told, *_),) = await device.until_told(CHAT, "resync")
            assert told == {"scope": "all", "code": 4008}
            # The reason is sent once.
            await device.ask("drop")
            await device.joins(3)
            await say(writer, conversation, "after")
            await device.until(lambda: texts(device)[-1:] == ["after"])
            assert len(device.told(CHAT, "resync")) == 1


@pytest.mark.parametrize("comes_to", ["the same node", "another node"])
async def test_a_stalled_client_resumes_where_it_stopped_to_read(
    database_url: str, redis_url: str, clients: JavaScript, comes_to: str
) -> None:
    """It missed more than it may leave unread: the replay is sent in parts, while more is published."""
    settings = settings_for_tests(database_url, redis_url, max_unread_bytes=UNREAD_BYTES)
    async with running_server(settings) as server, running_server(settings, work=False) as other:
        writer, reader, conversation = await two_who_talk(server)
        async with recovering_device(clients, server.url, token=reader.access_token) as device:
            (session,) = [one for one in server.node.hub.sessions(CHAT) if one.id == device.joined[0].sid]
            await device.ask("stall")
            said: list[str] = []

            async def talk() -> None:
                more = [f"{len(said) + number} " + "x" * 3_900 for number in range(20)]
                said.extend(more)
                await say(writer, conversation, *more)

            while session in server.node.hub.sessions(CHAT):
                await talk()
            await device.ask("slip", url=server.url if comes_to == "the same node" else other.url)
            await talk()
            assert (await device.joins(2)).recovered
            await talk()
            await until_texts(device, *said)
            assert device.told(CHAT, "resync") == [] and len(device.joined) == 2

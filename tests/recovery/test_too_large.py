"""The official JavaScript client sends more than a packet may hold: it is told so, comes back and misses nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript, JavaScriptError
from tests.kit.recovering import recovering_device
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.recovery.talk import say, two_who_talk, until_texts

MAX_PACKET_BYTES = 70_000


@pytest_asyncio.fixture
async def server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    settings = settings_for_tests(database_url, redis_url, max_packet_bytes=MAX_PACKET_BYTES)
    async with running_server(settings) as running:
        yield running


async def test_a_client_that_sent_too_much_comes_back_to_its_session(
    server: RunningServer, clients: JavaScript
) -> None:
    writer, reader, conversation_id = await two_who_talk(server)
    for transport, msgpack in (("websocket", False), ("websocket", True), ("polling", False)):
        async with recovering_device(
            clients, server.url, token=reader.access_token, transports=(transport,), msgpack=msgpack
        ) as device:
            await say(writer, conversation_id, "before")
            await until_texts(device, "before")
            payload = {"conversation_id": conversation_id, "text": "x" * MAX_PACKET_BYTES}
            with pytest.raises(JavaScriptError, match="has been disconnected"):
                await device.ask("call", namespace=CHAT, name="message:send", payload=payload)
            await say(writer, conversation_id, "meanwhile")
            assert (await device.joins(2)).recovered
            await until_texts(device, "before", "meanwhile")
            payload = {"conversation_id": conversation_id, "text": "less"}
            assert (await device.ask("call", namespace=CHAT, name="message:send", payload=payload))["ok"]


async def test_a_client_that_retries_what_is_too_large_gives_up_where_it_has_an_ack_timeout(
    server: RunningServer, clients: JavaScript
) -> None:
    _, reader, conversation_id = await two_who_talk(server)
    options = {"retries": 2, "ackTimeout": 10_000}
    async with recovering_device(clients, server.url, token=reader.access_token, options=options) as device:
        payload = {"conversation_id": conversation_id, "text": "x" * MAX_PACKET_BYTES}
        with pytest.raises(JavaScriptError, match="has been disconnected"):
            await device.ask("call", namespace=CHAT, name="message:send", payload=payload)
        assert (await device.joins(4)).recovered, "it came back after each of three tries"
        payload = {"conversation_id": conversation_id, "text": "less"}
        assert (await device.ask("call", namespace=CHAT, name="message:send", payload=payload))["ok"]

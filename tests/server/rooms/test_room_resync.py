"""A session enters the rooms that it was ordered to enter while its node was cut off from Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey

WITHIN_S = 15
Hears = Callable[[], Awaitable[bool]]


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[list[RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        yield [one, other]


async def _on_a_socket(node: RunningServer, person: Person) -> Hears:
    device = await node.device(person.access_token, namespaces=["/chat"])

    async def hears() -> bool:
        try:
            await device.expect_push("message:created", timeout_s=0.3)
        except TimeoutError:
            return False
        return True

    return hears


async def _on_long_poll(node: RunningServer, person: Person) -> Hears:
    _, answer = await node.rest("GET", "/events", token=person.access_token)
    cursor = answer["data"]["cursor"]

    async def hears() -> bool:
        nonlocal cursor
        query = {"cursor": cursor, "timeout_s": "1"}
        _, answer = await node.rest("GET", "/events", query=query, token=person.access_token)
        cursor = answer["data"]["cursor"]
        return any(event["name"] == "message:created" for event in answer["data"]["events"])

    return hears


@pytest.mark.parametrize("way_in", [_on_a_socket, _on_long_poll])
async def test_a_conversation_opened_during_an_outage_delivers_after_it(
    nodes: list[RunningServer],
    valkey: Valkey,
    way_in: Callable[[RunningServer, Person], Awaitable[Hears]],
) -> None:
    ada, bea = await nodes[0].people(f"outage_ada{way_in.__name__}", f"outage_bea{way_in.__name__}")
    hears = await way_in(nodes[1], bea)
    await asyncio.to_thread(valkey.stop)
    opened = await ada.rest("POST", "/conversations", {"user_id": bea.id})
    conversation_id = opened[1]["data"]["conversation"]["id"]
    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(WITHIN_S):
        heard = False
        while not heard:
            await ada.rest("POST", f"/conversations/{conversation_id}/messages", {"text": "Are you there?"})
            heard = await hears()

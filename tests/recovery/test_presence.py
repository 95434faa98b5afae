"""A recovered session keeps its presence watches, and gets what has changed meanwhile."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.handlers.chat.talk import CHAT
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import running_server, settings_for_tests
from tests.recovery.talk import two

CHANGED = "presence:changed"
NOBODY = "http://127.0.0.1:9"


async def until_changed(device: RecoveringDevice, times: int) -> list[tuple[Any, Any]]:
    return [(args[0]["user_id"], args[0]["online"]) for args in await device.until_told(CHAT, CHANGED, times)]


@pytest.mark.parametrize("way", ["same node", "another node", "stopped node"])
async def test_changes_of_presence_are_sent_that_came_meanwhile_and_later(
    database_url: str, redis_url: str, clients: JavaScript, way: str
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with AsyncExitStack() as stack, AsyncExitStack() as first:
        staying = await stack.enter_async_context(running_server(settings))
        left = await first.enter_async_context(running_server(settings, work=False))
        early, late = await two(staying)
        watcher, _ = await two(staying)
        device = await stack.enter_async_context(recovering_device(clients, left.url, token=watcher.access_token))
        answer = await device.ask(
            "call", namespace=CHAT, name="presence:watch", payload={"user_ids": [early.id, late.id]}
        )
        assert answer["ok"] and True not in answer["data"]["online"].values()
        await device.ask("aim", url=NOBODY)
        await device.ask("drop")
        await staying.device(early.access_token)
        if way == "stopped node":
            await first.aclose()
        await device.ask("aim", url=left.url if way == "same node" else staying.url)
        assert (await device.joins(2)).recovered
        assert await until_changed(device, 1) == [(early.id, True)]
        await staying.device(late.access_token)
        assert await until_changed(device, 2) == [(early.id, True), (late.id, True)]

"""A node that receives nothing over Redis is not ready, and is ready again soon after it receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from realtime.redis.client import open_redis
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey
from tests.realtime.silent_line import silent_line

DEAF_WITHIN_S = 5.0
HEALED_WITHIN_S = 5.0
ROUND_TRIP_S = 2.0
"""What a shared machine may take to answer a question."""


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    client = open_redis(redis_url, client_name="test")
    yield client
    await client.aclose()


async def readiness(server: RunningServer) -> tuple[int, str]:
    async with server.http.get(f"{server.url}/ready") as response:
        return response.status, (await response.json())["checks"]["backplane"]


async def until_ready_is(server: RunningServer, status: int, *, within_s: float) -> None:
    async with asyncio.timeout(within_s + ROUND_TRIP_S):
        while (await readiness(server))[0] != status:
            await asyncio.sleep(0.05)


async def test_a_node_whose_redis_is_stalled_is_not_ready_and_recovers(
    database_url: str, redis_url: str, redis: Redis
) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as server:
        assert await readiness(server) == (200, "ok")
        await redis.client_pause(round(1000 * (DEAF_WITHIN_S + ROUND_TRIP_S)))
        await until_ready_is(server, 503, within_s=DEAF_WITHIN_S)
        assert "does not hear itself" in (await readiness(server))[1]
        await until_ready_is(server, 200, within_s=ROUND_TRIP_S + HEALED_WITHIN_S)


async def test_only_the_node_behind_a_dead_line_is_not_ready(database_url: str, valkey: Valkey, tmp_path: Path) -> None:
    """The connections are not closed, as when a machine or a network fails."""
    async with silent_line(valkey.url, tmp_path / "line.sock") as line:
        async with (
            running_server(settings_for_tests(database_url, line.url)) as deaf,
            running_server(settings_for_tests(database_url, valkey.url)) as other,
        ):
            line.fall_silent(for_good=True)
            await until_ready_is(deaf, 503, within_s=DEAF_WITHIN_S)
            assert await readiness(other) == (200, "ok")
            line.speak()
            await until_ready_is(deaf, 200, within_s=HEALED_WITHIN_S)
            ada, bea = await other.people("deaf.ada", "deaf.bea")
            hearer = await deaf.device(bea.access_token)
            await ada.do("/chat", "message:write", {"user_id": bea.id, "text": "Hello"})
            await hearer.expect_push("conversation:updated")


async def test_clients_get_a_resync_when_the_subscriber_was_killed_and_then_pushes_again(
    database_url: str, redis_url: str, redis: Redis
) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        ada, bea = await one.people("killed.ada", "killed.bea")
        conversation = (await ada.do("/chat", "conversation:open", {"user_id": bea.id}))["conversation"]
        hearer = await other.device(bea.access_token, namespaces=["/chat"])
        assert await redis.client_kill_filter(_type="pubsub") >= 2
        await hearer.expect_push("resync", timeout_s=HEALED_WITHIN_S + ROUND_TRIP_S)
        await ada.do("/chat", "message:send", {"conversation_id": conversation["id"], "text": "Again"})
        assert (await hearer.expect_push("message:created"))["message"]["text"] == "Again"
        for node in (one, other):
            await until_ready_is(node, 200, within_s=HEALED_WITHIN_S)

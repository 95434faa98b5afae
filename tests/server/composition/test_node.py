"""What the composition root alone decides: which setting goes where, and how a process ends."""

from __future__ import annotations

import asyncio
import os
import signal

import orjson
import pytest
from structlog.testing import capture_logs

from realtime.redis.client import open_redis
from server.composition.node import run
from tests.kit.server import running_server, settings_for_tests


async def test_home_feeds_leave_redis_after_the_days_that_are_set(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, feed_days_limit=3)) as server:
        person = await server.person("app.days")
        await person.do("/feed", "feed:page")
        redis = open_redis(redis_url, client_name="test")
        try:
            (key,) = await redis.keys("feed:*")
            assert 3 * 86_400 - 60 < await redis.ttl(key) <= 3 * 86_400
        finally:
            await redis.aclose()


async def test_ids_begin_with_the_node_s_name_and_differ_from_run_to_run(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, node_name="n1")
    node_ids = []
    for _ in range(2):
        async with running_server(settings) as server:
            node_ids.append(server.node.node_id)
            async with server.http.get(f"{server.url}/socket.io/?EIO=4&transport=polling") as response:
                sid = orjson.loads((await response.read())[1:])["sid"]
            assert sid.startswith(f"{server.node.node_id}.")
            person = await server.person(f"app.named{len(node_ids)}")
            _, polled = await person.rest("GET", "/events")
            assert polled["data"]["cursor"].startswith(f"{server.node.node_id}.")
    assert all(node_id.startswith("n1-") for node_id in node_ids)
    assert len(set(node_ids)) == 2


@pytest.mark.parametrize("is_left_over", [False, True])
async def test_a_task_that_outlives_the_node_is_logged(database_url: str, redis_url: str, is_left_over: bool) -> None:
    forgotten: list[asyncio.Task[None]] = []

    def when_ready(port: int) -> None:
        if is_left_over:
            forgotten.append(asyncio.create_task(asyncio.sleep(3600), name="forgotten"))
        os.kill(os.getpid(), signal.SIGTERM)

    with capture_logs() as lines:
        await run(settings_for_tests(database_url, redis_url), serve=True, work=True, on_ready=when_ready)
    told = [line for line in lines if line["log_level"] == "error"]
    assert [line["event"] for line in told] == ["tasks_left_over"] * is_left_over
    assert all("forgotten: <coroutine object sleep" in task for line in told for task in line["tasks"])
    for task in forgotten:
        task.cancel()

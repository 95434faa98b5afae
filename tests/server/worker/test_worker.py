"""Facts reach their consumers, whatever consumers do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncpg
import pytest

from realtime.redis.client import open_redis
from realtime.redis.fact_streams import FactStreams
from server.features import FEATURES
from server.worker import relay, worker
from tests.kit.log_watch import watched_log
from tests.kit.odd_feature import OddFeature
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.kit.services import Valkey, execute

WITHIN_S = 25


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_fact_that_always_fails_is_parked_and_delays_no_other(database_url: str, redis_url: str) -> None:
    odd = OddFeature()
    settings = settings_for_tests(database_url, redis_url, reclaim_idle_ms=100)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
        me = await server.person("poisoner")
        await me.rest("POST", "/odd/poison", {})
        await _until(lambda: bool(odd.reactions))
        connection = await asyncpg.connect(database_url)
        try:
            async with asyncio.timeout(WITHIN_S):
                while not (parked := await connection.fetch("SELECT consumer, error FROM fact_done WHERE error <> ''")):
                    await asyncio.sleep(0.05)
        finally:
            await connection.close()
    assert [(row["consumer"], row["error"]) for row in parked] == [
        ("odd_choker", "ZeroDivisionError: a defect in a consumer")
    ]
    assert odd.poisoned == worker.TRIES_BEFORE_PARKING
    assert odd.reactions == [int(me.id)]


async def test_pushes_of_a_worker_that_died_before_publishing_are_published(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, reclaim_idle_ms=100)
    redis = open_redis(redis_url, client_name="dead")
    streams = FactStreams(redis)
    async with running_server(settings, work=False) as server:
        ada, bea = await server.people("dying_ada", "dying_bea")
        await bea.do("/users", "user:follow", {"user_id": ada.id})
        await bea.do("/feed", "feed:subscribe", {})
        post = (await ada.do("/posts", "post:create", {"text": "Does anybody hear me?"}))["post"]
        entries = await streams.read("feed_fanout", "dead", ["post.created"], count=1, block_ms=10_000)
        await execute(
            database_url,
            f"INSERT INTO fact_done (fact_id, consumer) VALUES ({entries[0].fact_id}, 'feed_fanout')",
        )
        async with running_server(settings):
            assert (await bea.expect_push("feed:new"))["post"]["id"] == post["id"]
            await bea.expect_silence("feed:new")
    await streams.stop()
    await redis.aclose()


async def test_an_outage_of_redis_is_two_lines_of_each_loop(
    database_url: str, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PAUSE_AFTER_FAILURE_S", 0.02)
    monkeypatch.setattr(relay, "PAUSE_AFTER_FAILURE_S", 0.02)
    odd = OddFeature()
    began, over = ("consumer_waits", "relay_waits"), ("consumer_waits_over", "relay_waits_over")
    settings = settings_for_tests(database_url, valkey.url)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
        me = await server.person("terse")
        loops = {(began[0], consumer.name) for consumer in server.node.registry.consumers} | {(began[1], None)}
        with watched_log(*began, *over) as seen:
            valkey.stop()
            await me.rest("POST", "/odd/tell", {})
            await _until(lambda: len(seen) >= len(loops))
            await asyncio.sleep(0.5)
            assert {(line["event"], line.get("consumer")) for line in seen} == loops
            assert len(seen) == len(loops)
            valkey.start()
            await _until(lambda: len(seen) >= 2 * len(loops) and bool(odd.reactions))
        assert sorted(line["event"] for line in seen[len(loops) :]) == sorted(f"{event}_over" for event, _ in loops)


async def test_facts_wait_for_redis(database_url: str, valkey: Valkey) -> None:
    odd = OddFeature()
    settings = settings_for_tests(database_url, valkey.url)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
        me = await server.person("patient")
        valkey.stop()
        _, answer = await me.rest("POST", "/odd/tell", {})
        assert answer["ok"]
        assert odd.reactions == []
        valkey.start()
        await _until(lambda: bool(odd.reactions))
    assert odd.reactions == [int(me.id)]


async def test_confirmed_facts_leave_the_outbox(server: RunningServer, database_url: str) -> None:
    me = await server.person("tidy")
    await me.do("/posts", "post:create", {"text": "swept"})
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(WITHIN_S):
            while await connection.fetchval("SELECT count(*) FROM outbox WHERE fact = 'post.created'"):
                await asyncio.sleep(0.1)
    finally:
        await connection.close()

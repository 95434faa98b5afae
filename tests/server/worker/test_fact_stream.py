"""Facts are copied to a stream for services of others."""

from __future__ import annotations

import asyncio
from typing import Any

from redis.asyncio import Redis

from realtime.redis.client import open_redis
from tests.kit.log_watch import watched_log
from tests.kit.numbers_feature import Numbers, NumberTable, number_worker
from tests.kit.server import settings_for_tests

STREAM = "copied.facts"
WITHIN_S = 20


async def _numbers(redis: Redis) -> list[int]:
    entries: Any = await redis.xrange(STREAM)
    assert all(fields[b"name"] == b"number.made" for _, fields in entries)
    return sorted(int(fields[b"data"].split(b":")[1].rstrip(b"}")) for _, fields in entries)


async def test_every_fact_is_copied_and_a_key_that_is_no_stream_delays_only_the_copy(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    redis = open_redis(redis_url, client_name="test-stream")
    try:
        await table.make(1, 50)
        async with number_worker(settings_for_tests(database_url, redis_url, facts_stream=STREAM), Numbers()):
            async with asyncio.timeout(WITHIN_S):
                while len(await _numbers(redis)) < 50:
                    await asyncio.sleep(0.02)
            assert await _numbers(redis) == list(range(1, 51))
            await redis.set(STREAM, "no stream")
            with watched_log("consumer_waits") as waits:
                await table.make(51, 51)
                await table.until_read()
                async with asyncio.timeout(WITHIN_S):
                    while not waits:
                        await asyncio.sleep(0.02)
            assert [line["consumer"] for line in waits] == ["facts_stream"]
            await redis.delete(STREAM)
            async with asyncio.timeout(WITHIN_S):
                while not await redis.exists(STREAM):
                    await asyncio.sleep(0.02)
            assert await _numbers(redis) == [51]
    finally:
        await redis.delete(STREAM)
        await redis.aclose()

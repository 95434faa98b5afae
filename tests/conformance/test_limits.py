"""What every limiter promises, whether it counts in Redis or in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.contract.rate_limit import RateLimit
from realtime.limits.limiter import Limiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.redis_limiter import RedisLimiter
from realtime.redis.client import open_redis

SLOW = RateLimit(count=5, per_s=600)


@pytest.fixture(params=["memory", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if request.param == "memory":
        yield MemoryLimiter()
    else:
        redis = open_redis(request.getfixturevalue("redis_url"), client_name="test")
        redis_limiter = RedisLimiter(redis)
        yield redis_limiter
        await redis_limiter.stop()
        await redis.aclose()


async def test_exactly_count_hits_pass_and_the_next_is_refused(limiter: Limiter) -> None:
    for _ in range(5):
        decision = await limiter.hit([("a", SLOW, 1)])
        assert decision.allowed and decision.retry_after_ms == 0 and decision.failed_key is None
    refused = await limiter.hit([("a", SLOW, 1)])
    assert not refused.allowed
    assert refused.failed_key == "a"
    assert 0 < refused.retry_after_ms <= 120_000


async def test_of_simultaneous_hits_exactly_count_pass(limiter: Limiter) -> None:
    decisions = await asyncio.gather(*(limiter.hit([("a", SLOW, 1)]) for _ in range(50)))
    assert sum(decision.allowed for decision in decisions) == 5


async def test_keys_are_counted_apart(limiter: Limiter) -> None:
    assert not (await limiter.hit([("a", SLOW, 6)])).allowed
    assert (await limiter.hit([("a", SLOW, 5)])).allowed
    assert (await limiter.hit([("b", SLOW, 5)])).allowed


async def test_cost_counts_as_that_many_hits(limiter: Limiter) -> None:
    assert (await limiter.hit([("a", SLOW, 3)])).allowed
    assert not (await limiter.hit([("a", SLOW, 3)])).allowed
    assert (await limiter.hit([("a", SLOW, 2)])).allowed
    assert not (await limiter.hit([("a", SLOW, 1)])).allowed


async def test_nothing_is_taken_where_one_key_refuses(limiter: Limiter) -> None:
    narrow = RateLimit(count=1, per_s=600)
    assert (await limiter.hit([("address", SLOW, 1), ("account", narrow, 1)])).allowed
    for _ in range(10):
        assert (await limiter.hit([("address", SLOW, 1), ("account", narrow, 1)])).failed_key == "account"
    assert (await limiter.hit([("address", SLOW, 4)])).allowed


async def test_the_key_that_waits_longest_is_named(limiter: Limiter) -> None:
    hourly = RateLimit(count=1, per_s=3600)
    minutely = RateLimit(count=1, per_s=60)
    checks = [("minutely", minutely, 1), ("hourly", hourly, 1), ("minutely-too", minutely, 1)]
    assert (await limiter.hit(checks)).allowed
    refused = await limiter.hit(checks)
    assert refused.failed_key == "hourly"
    assert refused.retry_after_ms > 60_000


async def test_a_key_that_occurs_twice_pays_twice(limiter: Limiter) -> None:
    assert not (await limiter.hit([("a", SLOW, 3), ("a", SLOW, 3)])).allowed
    assert (await limiter.hit([("a", SLOW, 3), ("a", SLOW, 2)])).allowed
    assert not (await limiter.hit([("a", SLOW, 1)])).allowed


async def test_burst_bounds_what_passes_at_once(limiter: Limiter) -> None:
    rate = RateLimit(count=100, per_s=6_000, burst=2)
    assert [(await limiter.hit([("a", rate, 1)])).allowed for _ in range(3)] == [True, True, False]


async def test_after_the_told_wait_a_hit_passes(limiter: Limiter) -> None:
    rate = RateLimit(count=20, per_s=1, burst=1)
    assert (await limiter.hit([("a", rate, 1)])).allowed
    refused = await limiter.hit([("a", rate, 1)])
    assert not refused.allowed
    await asyncio.sleep(refused.retry_after_ms / 1000 + 0.001)
    assert (await limiter.hit([("a", rate, 1)])).allowed


async def test_no_checks_are_allowed(limiter: Limiter) -> None:
    assert (await limiter.hit([])).allowed


async def test_a_look_decides_like_a_hit_and_takes_nothing(limiter: Limiter) -> None:
    for _ in range(10):
        assert (await limiter.peek([("a", SLOW, 5)])).allowed
    assert (await limiter.hit([("a", SLOW, 5)])).allowed
    refused = await limiter.peek([("b", SLOW, 1), ("a", SLOW, 1)])
    assert (refused.allowed, refused.failed_key) == (False, "a")
    assert 0 < refused.retry_after_ms <= 120_000


async def test_what_is_given_back_can_be_taken_again(limiter: Limiter) -> None:
    checks = [("a", SLOW, 2), ("b", SLOW, 5)]
    assert (await limiter.hit(checks)).allowed
    await limiter.give_back(checks)
    assert (await limiter.hit([("a", SLOW, 5), ("b", SLOW, 5)])).allowed


async def test_no_more_is_given_back_than_was_taken(limiter: Limiter) -> None:
    await limiter.give_back([("a", SLOW, 5)])
    assert (await limiter.hit([("a", SLOW, 1)])).allowed
    await limiter.give_back([("a", SLOW, 5)])
    assert not (await limiter.hit([("a", SLOW, 6)])).allowed
    assert (await limiter.hit([("a", SLOW, 5)])).allowed


async def test_others_keep_what_they_took_when_one_gives_back(limiter: Limiter) -> None:
    assert (await limiter.hit([("a", SLOW, 4)])).allowed
    assert (await limiter.hit([("a", SLOW, 1)])).allowed
    await limiter.give_back([("a", SLOW, 1)])
    assert not (await limiter.hit([("a", SLOW, 2)])).allowed
    assert (await limiter.hit([("a", SLOW, 1)])).allowed

"""What only the limiter over Redis has: counters shared by nodes, which vanish by themselves, and outages."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from realtime.contract.rate_limit import RateLimit
from realtime.limits.redis_limiter import RedisLimiter
from realtime.redis.client import StoreUnavailable
from tests.kit.services import Valkey

SLOW = RateLimit(count=4, per_s=600)


async def test_nodes_share_their_counters(redis: Redis) -> None:
    one, other = RedisLimiter(redis), RedisLimiter(redis)
    decisions = [await limiter.hit([("a", SLOW, 1)]) for limiter in (one, other, one, other, one)]
    assert [decision.allowed for decision in decisions] == [True, True, True, True, False]
    await one.stop()
    await other.stop()


async def test_a_counter_lives_until_it_is_full_again(redis: Redis) -> None:
    limiter = RedisLimiter(redis, prefix="count:")
    await limiter.hit([("a", SLOW, 2)])
    assert 0 < await redis.pttl("count:a") <= 300_000
    await limiter.hit([("short", RateLimit(count=100, per_s=0.1), 1)])
    assert await redis.pttl("count:short") <= 2
    await limiter.stop()


async def test_a_counter_that_got_everything_back_is_gone(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    await limiter.peek([("a", SLOW, 1)])
    assert await redis.keys() == []
    await limiter.hit([("a", SLOW, 2)])
    await limiter.give_back([("a", SLOW, 1)])
    assert 0 < await redis.pttl("limit:a") <= 150_000
    await limiter.give_back([("a", SLOW, 1)])
    assert await redis.keys() == []
    await limiter.stop()


async def test_a_refused_call_writes_nothing(redis: Redis) -> None:
    limiter = RedisLimiter(redis)
    assert not (await limiter.hit([("a", SLOW, 1), ("b", SLOW, 5)])).allowed
    assert await redis.keys() == []
    await limiter.stop()


async def test_an_outage_raises(redis: Redis, valkey: Valkey) -> None:
    limiter = RedisLimiter(redis)
    valkey.stop()
    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await limiter.hit([("a", SLOW, 1)])
    await limiter.stop()

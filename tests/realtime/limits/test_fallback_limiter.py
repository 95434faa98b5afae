from __future__ import annotations

import asyncio

from redis.asyncio import Redis

from realtime.contract.rate_limit import RateLimit
from realtime.limits.fallback_limiter import FallbackLimiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.redis_limiter import RedisLimiter
from tests.kit.services import Valkey

SLOW = RateLimit(count=2, per_s=600)


async def test_limits_hold_on_this_node_during_an_outage_and_everywhere_after_it(redis: Redis, valkey: Valkey) -> None:
    fallbacks = 0

    def count() -> None:
        nonlocal fallbacks
        fallbacks += 1

    shared = RedisLimiter(redis)
    limiter = FallbackLimiter(shared, MemoryLimiter(), on_fallback=count)
    assert (await limiter.hit([("a", SLOW, 1)])).allowed
    assert fallbacks == 0

    await asyncio.to_thread(valkey.stop)
    decisions = [await limiter.hit([("a", SLOW, 1)]) for _ in range(3)]
    assert [decision.allowed for decision in decisions] == [True, True, False]
    assert fallbacks == 3
    assert not (await limiter.peek([("a", SLOW, 1)])).allowed
    await limiter.give_back([("a", SLOW, 1)])
    assert (await limiter.hit([("a", SLOW, 1)])).allowed

    await asyncio.to_thread(valkey.start)
    async with asyncio.timeout(10):
        while fallbacks:
            fallbacks = 0
            await asyncio.sleep(0.01)
            await limiter.hit([("probe", SLOW, 1)])
    assert (await limiter.hit([("a", SLOW, 2)])).allowed
    assert fallbacks == 0
    await shared.stop()

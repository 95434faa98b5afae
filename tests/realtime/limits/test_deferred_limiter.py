"""Limits that are told afterwards: exact on one node, added up over nodes, and alone while Redis is away."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence

import pytest
from redis.asyncio import Redis

from realtime.contract.rate_limit import RateLimit
from realtime.limits.deferred_limiter import SHARES, DeferredLimiter
from realtime.limits.limiter import Check, Decision
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.redis_limiter import RedisLimiter
from realtime.redis.client import StoreUnavailable
from tests.kit.services import Valkey

SLOW = RateLimit(count=4, per_s=600)
MANY = RateLimit(count=80, per_s=6_000)


class NoCounters:
    """What the shared counters are while Redis is away."""

    async def take(self, taken: Sequence[Check]) -> Sequence[int]:
        raise StoreUnavailable("away")


class Alone(list[int]):
    """The calls that a node counted alone."""

    def __call__(self, calls: int) -> None:
        self.append(calls)


@pytest.fixture
async def counters(redis: Redis) -> AsyncIterator[RedisLimiter]:
    limiter = RedisLimiter(redis)
    yield limiter
    await limiter.stop()


async def admitted(limiter: DeferredLimiter, key: str, rate: RateLimit, calls: int) -> int:
    """How many of so many calls at once are admitted."""
    decisions = await asyncio.gather(*(limiter.admit(key, rate) for _ in range(calls)))
    return sum(decision.allowed for decision in decisions)


async def scripts_run(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("eval", "evalsha"))


async def test_the_call_after_the_last_one_is_refused(counters: RedisLimiter) -> None:
    limiter = DeferredLimiter(counters, on_alone=Alone())
    assert [(await limiter.admit("a", SLOW)).allowed for _ in range(5)] == [True] * 4 + [False]
    refused = await limiter.admit("a", SLOW)
    assert refused.failed_key == "a" and 149_000 < refused.retry_after_ms <= 150_000
    assert (await limiter.admit("b", SLOW)).allowed
    await limiter.stop()


async def test_calls_at_once_are_counted_too(counters: RedisLimiter) -> None:
    limiter = DeferredLimiter(counters, on_alone=Alone())
    assert await admitted(limiter, "a", MANY, 200) == 80
    await limiter.stop()


@pytest.mark.parametrize("seed", range(5))
async def test_a_node_alone_decides_as_exactly_as_the_limiter_in_memory(seed: int) -> None:
    chance, now_s = random.Random(seed), 1_000.0
    rates = {"a": RateLimit(5, 1), "b": RateLimit(20, 3, burst=4), "c": RateLimit(2, 0.5)}
    limiter = DeferredLimiter(NoCounters(), on_alone=Alone(), clock_s=lambda: now_s)
    exact = MemoryLimiter(clock_s=lambda: now_s)
    outcomes: set[bool] = set()
    for _ in range(400):
        key = chance.choice("abc")
        decision = await limiter.admit(key, rates[key])
        assert decision == await exact.hit([(key, rates[key], 1)])
        outcomes.add(decision.allowed)
        now_s += chance.choice([0, 0, 0.01, 0.1, 0.5])
    assert outcomes == {True, False}
    await limiter.stop()


async def test_all_that_is_admitted_in_one_turn_is_told_by_one_script(counters: RedisLimiter, redis: Redis) -> None:
    limiter = DeferredLimiter(counters, on_alone=Alone())
    await limiter.admit("first", MANY)
    await limiter.stop()
    before = await scripts_run(redis)
    for number in range(300):
        await limiter.admit(f"key {number % 30}", MANY)
    await limiter.stop()
    assert await scripts_run(redis) == before + 1


async def test_nodes_add_up(counters: RedisLimiter) -> None:
    one, other = DeferredLimiter(counters, on_alone=Alone()), DeferredLimiter(counters, on_alone=Alone())
    total = 0
    for _ in range(60):
        for node in (one, other):
            total += await admitted(node, "a", MANY, 3)
            await node.stop()
    assert MANY.count <= total <= MANY.count + 2 * (MANY.count // SHARES)
    assert not (await one.admit("a", MANY)).allowed
    assert not (await other.admit("a", MANY)).allowed


async def test_a_node_runs_one_share_ahead_of_what_it_has_told(counters: RedisLimiter, redis: Redis) -> None:
    limiter = DeferredLimiter(counters, on_alone=Alone())
    await limiter.admit("other", MANY)
    await limiter.stop()
    await redis.client_pause(100)
    done: list[Decision] = []

    async def call() -> None:
        done.append(await limiter.admit("a", MANY))

    calls = [asyncio.create_task(call()) for _ in range(30)]
    await asyncio.sleep(0)
    assert len(done) == MANY.count // SHARES
    await asyncio.gather(*calls)
    assert all(decision.allowed for decision in done)
    await limiter.stop()


async def test_while_redis_is_away_a_node_counts_alone_and_waits_for_nothing(
    counters: RedisLimiter, valkey: Valkey
) -> None:
    alone = Alone()
    limiter = DeferredLimiter(counters, on_alone=alone)
    assert (await limiter.admit("a", SLOW)).allowed
    await limiter.stop()
    valkey.stop()
    assert await admitted(limiter, "a", SLOW, 10) == 3
    await limiter.stop()
    assert sum(alone) == 3


async def test_after_an_outage_counters_are_shared_again(counters: RedisLimiter, valkey: Valkey) -> None:
    one, other = DeferredLimiter(counters, on_alone=Alone()), DeferredLimiter(counters, on_alone=Alone())
    valkey.stop()
    await one.admit("before", SLOW)
    await one.stop()
    valkey.start()
    async with asyncio.timeout(10):
        while True:
            try:
                await counters.peek([("a", SLOW, 1)])
                break
            except StoreUnavailable:
                await asyncio.sleep(0.01)
    assert await admitted(one, "a", SLOW, 3) == 3
    await one.stop()
    assert (await other.admit("a", SLOW)).allowed
    await other.stop()
    assert not (await other.admit("a", SLOW)).allowed


async def test_what_is_held_is_bounded() -> None:
    limiter = DeferredLimiter(NoCounters(), on_alone=Alone(), max_keys=100)
    await admitted(limiter, "used up", MANY, 80)
    for number in range(1_000):
        await limiter.admit(f"other {number}", SLOW)
        assert len(limiter) <= 100
    assert not (await limiter.admit("used up", MANY)).allowed
    await limiter.stop()

"""What only the limiter of one process has: an injected clock and a bound on what it holds."""

from __future__ import annotations

from realtime.contract.rate_limit import RateLimit
from realtime.limits.limiter import Decision
from realtime.limits.memory_limiter import MemoryLimiter


class Clock:
    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


TWO_A_SECOND = RateLimit(count=2, per_s=1)


async def test_units_come_back_evenly_and_no_further_than_the_count() -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock_s=clock)
    assert (await limiter.hit([("a", TWO_A_SECOND, 2)])).allowed
    assert await limiter.hit([("a", TWO_A_SECOND, 1)]) == Decision(False, retry_after_ms=500, failed_key="a")
    clock.now_s += 0.499
    assert not (await limiter.hit([("a", TWO_A_SECOND, 1)])).allowed
    clock.now_s += 0.001
    assert (await limiter.hit([("a", TWO_A_SECOND, 1)])).allowed
    clock.now_s += 3_600
    assert not (await limiter.hit([("a", TWO_A_SECOND, 3)])).allowed
    assert (await limiter.hit([("a", TWO_A_SECOND, 2)])).allowed


async def test_full_counters_make_room_first() -> None:
    clock = Clock()
    limiter = MemoryLimiter(clock_s=clock, max_keys=100)
    for number in range(100):
        await limiter.hit([(f"old-{number}", TWO_A_SECOND, 1)])
    clock.now_s += 1
    await limiter.hit([("used-up", TWO_A_SECOND, 2)])
    assert len(limiter) == 1
    assert not (await limiter.hit([("used-up", TWO_A_SECOND, 1)])).allowed


async def test_what_is_held_is_bounded_though_nothing_refills() -> None:
    limiter = MemoryLimiter(clock_s=Clock(), max_keys=100)
    await limiter.hit([("used-up", TWO_A_SECOND, 2)])
    for number in range(1_000):
        await limiter.hit([(f"other-{number}", TWO_A_SECOND, 1)])
        assert len(limiter) <= 100
    assert not (await limiter.hit([("used-up", TWO_A_SECOND, 1)])).allowed

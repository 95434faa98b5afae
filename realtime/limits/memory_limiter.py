"""Rate limits within one process."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from realtime.limits.limiter import ALLOWED, Check, Decision


class MemoryLimiter:
    """Counts in this process. `clock_s` gives seconds and never goes back.

    Holds at most `max_keys` counters: above that the full ones are dropped, then those that are full again soonest.
    """

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic, max_keys: int = 100_000) -> None:
        self._clock_s = clock_s
        self._max_keys = max_keys
        self._full_at_us: dict[str, int] = {}

    async def hit(self, checks: Sequence[Check]) -> Decision:
        decision, taken, now_us = self._decide(checks)
        if decision.allowed:
            self._full_at_us.update(taken)
            if len(self._full_at_us) > self._max_keys:
                self._evict(now_us)
        return decision

    async def peek(self, checks: Sequence[Check]) -> Decision:
        return self._decide(checks)[0]

    async def give_back(self, checks: Sequence[Check]) -> None:
        for key, rate, cost in checks:
            if key in self._full_at_us:
                self._full_at_us[key] -= cost * rate.interval_us

    def __len__(self) -> int:
        """How many counters are held."""
        return len(self._full_at_us)

    def _decide(self, checks: Sequence[Check]) -> tuple[Decision, dict[str, int], int]:
        """The decision, the counters as an allowed call leaves them, and the present."""
        now_us = int(self._clock_s() * 1_000_000)
        taken: dict[str, int] = {}
        wait_us, failed_key = 0, None
        for key, rate, cost in checks:
            at_us = taken.get(key) or self._full_at_us.get(key, 0)
            if at_us < now_us:
                at_us = now_us
            at_us += cost * rate.interval_us
            taken[key] = at_us
            ahead_us = at_us - rate.tolerance_us - now_us
            if ahead_us > wait_us:
                wait_us, failed_key = ahead_us, key
        if failed_key is None:
            return ALLOWED, taken, now_us
        return Decision(allowed=False, retry_after_ms=-(-wait_us // 1000), failed_key=failed_key), taken, now_us

    def _evict(self, now_us: int) -> None:
        # down to three quarters, so that evictions are rare
        kept = sorted(((at_us, key) for key, at_us in self._full_at_us.items() if at_us > now_us), reverse=True)[
            : self._max_keys * 3 // 4
        ]
        self._full_at_us = {key: at_us for at_us, key in kept}

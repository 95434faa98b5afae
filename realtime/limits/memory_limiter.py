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
        now_us = int(self._clock_s() * 1_000_000)
        counters = self._full_at_us
        taken: dict[str, int] = {}
        wait_us, failed_key = 0, None
        for key, rate, cost in checks:
            at_us = taken.get(key) or counters.get(key, 0)
            if at_us < now_us:
                at_us = now_us
            at_us += cost * rate.interval_us
            taken[key] = at_us
            ahead_us = at_us - rate.tolerance_us - now_us
            if ahead_us > wait_us:
                wait_us, failed_key = ahead_us, key
        if failed_key is not None:
            return Decision(allowed=False, retry_after_ms=-(-wait_us // 1000), failed_key=failed_key)
        counters.update(taken)
        if len(counters) > self._max_keys:
            self._evict(now_us)
        return ALLOWED

    def __len__(self) -> int:
        """How many counters are held."""
        return len(self._full_at_us)

    def _evict(self, now_us: int) -> None:
        # down to three quarters, so that evictions are rare
        kept = sorted(((at_us, key) for key, at_us in self._full_at_us.items() if at_us > now_us), reverse=True)[
            : self._max_keys * 3 // 4
        ]
        self._full_at_us = {key: at_us for at_us, key in kept}

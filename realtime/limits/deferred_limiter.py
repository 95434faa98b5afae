"""Rate limits over all nodes that no call waits for: the node decides, and tells Redis afterwards."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from realtime.contract.rate_limit import RateLimit
from realtime.limits.limiter import ALLOWED, Check, Decision
from realtime.redis.client import StoreUnavailable

SHARES: Final = 8
"""A node may have admitted one share, a limit's burst divided by this, that Redis does not know of yet."""


class SharedCounters(Protocol):
    """The counters of all nodes."""

    async def take(self, taken: Sequence[Check]) -> Sequence[int]:
        """Takes the cost from each key, below zero too; returns in how many microseconds each is full again.

        Raises StoreUnavailable.
        """


class DeferredLimiter:
    """Counts by the generic cell rate algorithm in this process, and adds up with other nodes once in a loop turn.

    A call waits for nothing, unless its key has a whole share that the shared counters have not been told of yet.
    On one node decisions are exact; a caller who uses several nodes in one moment may get a share more from each. While
    the shared counters are away each node counts alone: `on_alone` is called with the number of such calls. `clock_s`
    gives seconds and never goes back. Holds at most `max_keys` counters; above that those that are full again soonest
    are dropped.
    """

    def __init__(
        self,
        shared: SharedCounters,
        *,
        on_alone: Callable[[int], None],
        clock_s: Callable[[], float] = time.monotonic,
        max_keys: int = 100_000,
    ) -> None:
        self._shared = shared
        self._on_alone = on_alone
        self._clock_s = clock_s
        self._max_keys = max_keys
        self._full_at_us: dict[str, int] = {}
        self._untold: dict[str, Check] = {}
        self._being_told: dict[str, Check] = {}
        self._telling: asyncio.Task[None] | None = None

    async def admit(self, key: str, rate: RateLimit) -> Decision:
        """Takes one unit from a key, or tells when there will be one."""
        while True:
            now_us = self._now_us()
            full_at_us = max(self._full_at_us.get(key, 0), now_us) + rate.interval_us
            wait_us = full_at_us - rate.tolerance_us - now_us
            if wait_us > 0:
                return Decision(allowed=False, retry_after_ms=-(-wait_us // 1000), failed_key=key)
            if self._telling is None or self._untold_units(key) < _share(rate):
                break
            await asyncio.wait([self._telling])
        self._full_at_us[key] = full_at_us
        if len(self._full_at_us) > self._max_keys:
            self._evict(now_us)
        untold = self._untold.get(key)
        self._untold[key] = (key, rate, 1 if untold is None else untold[2] + 1)
        if self._telling is None:
            self._telling = asyncio.get_running_loop().create_task(self._tell())
        return ALLOWED

    async def stop(self) -> None:
        """Returns when the shared counters know everything, or are away."""
        while self._telling is not None:
            await asyncio.wait([self._telling])

    def __len__(self) -> int:
        """How many counters are held."""
        return len(self._full_at_us)

    async def _tell(self) -> None:
        taken, self._untold = self._untold, {}
        self._being_told = taken
        sent_us = self._now_us()
        try:
            ahead_us = await self._shared.take(list(taken.values()))
        except StoreUnavailable:
            self._on_alone(sum(units for _, _, units in taken.values()))
        else:
            for (key, rate, _), ahead in zip(taken.values(), ahead_us, strict=True):
                later = self._untold.get(key)
                told_us = sent_us + ahead + (rate.interval_us * later[2] if later is not None else 0)
                # Redis lacks what it could not be told, and this node what other nodes admitted.
                self._full_at_us[key] = max(self._full_at_us.get(key, 0), told_us)
        finally:
            self._being_told = {}
            self._telling = asyncio.get_running_loop().create_task(self._tell()) if self._untold else None

    def _untold_units(self, key: str) -> int:
        return sum(told[key][2] for told in (self._untold, self._being_told) if key in told)

    def _now_us(self) -> int:
        return int(self._clock_s() * 1_000_000)

    def _evict(self, now_us: int) -> None:
        # down to three quarters, so that evictions are rare
        kept = sorted(((at_us, key) for key, at_us in self._full_at_us.items() if at_us > now_us), reverse=True)
        self._full_at_us = {key: at_us for at_us, key in kept[: self._max_keys * 3 // 4]}


def _share(rate: RateLimit) -> int:
    return max(1, rate.tolerance_us // rate.interval_us // SHARES)

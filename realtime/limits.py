"""How often something may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Rate:
    """`count` units in `per_s` seconds, refilled evenly; at most `burst` of them (None: all `count`) at once."""

    count: int
    per_s: float
    burst: int | None = None
    interval_us: int = field(init=False)
    """Microseconds in which one unit is refilled."""
    tolerance_us: int = field(init=False)
    """How far ahead of an even pace a caller may run."""

    def __post_init__(self) -> None:
        interval_us = max(1, round(self.per_s * 1_000_000 / self.count))
        object.__setattr__(self, "interval_us", interval_us)
        object.__setattr__(self, "tolerance_us", interval_us * (self.count if self.burst is None else self.burst))


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a call. `retry_after_ms` and `failed_key` tell of the key that has to wait longest."""

    allowed: bool
    retry_after_ms: int = 0
    failed_key: str | None = None


ALLOWED = Decision(allowed=True)

Check = tuple[str, Rate, int]
"""What is counted (a key), against which rate, and what the call costs in units (1 or more)."""


class Limiter(Protocol):
    """Counts by the generic cell rate algorithm: as exact as a sliding window with one number per key."""

    async def hit(self, checks: Sequence[Check]) -> Decision:
        """Takes the cost from every key, or, where one of them has not enough, from none.

        A cost above a rate's burst is never allowed. A key that occurs twice pays twice.
        """

"""The declaration of a rate limit."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`count` calls in `per_s` seconds, refilled evenly; at most `burst` of them (None: all `count`) at once.

    A command's limit counts per user, and per address for anonymous callers. That of a command which is open to
    anonymous callers counts per address for all callers.
    """

    count: int
    per_s: float
    burst: int | None = None
    interval_us: int = field(init=False)
    """Microseconds until one unit is refilled."""
    tolerance_us: int = field(init=False)
    """How far ahead of an even pace a caller may run."""

    def __post_init__(self) -> None:
        interval_us = max(1, round(self.per_s * 1_000_000 / self.count))
        object.__setattr__(self, "interval_us", interval_us)
        object.__setattr__(self, "tolerance_us", interval_us * (self.count if self.burst is None else self.burst))

    def scaled(self, factor: float) -> RateLimit:
        """The same limit with `factor` times as many calls, but at least one."""
        return RateLimit(max(1, round(self.count * factor)), self.per_s)

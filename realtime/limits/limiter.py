"""How often something may be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from realtime.contract.rate_limit import RateLimit


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of a call. `retry_after_ms` and `failed_key` tell of the key that has to wait longest."""

    allowed: bool
    retry_after_ms: int = 0
    failed_key: str | None = None


ALLOWED = Decision(allowed=True)

Check = tuple[str, RateLimit, int]
"""What is counted (a key), against which rate, and what the call costs in units (1 or more)."""


class Limiter(Protocol):
    """Counts by the generic cell rate algorithm: as exact as a sliding window with one number per key."""

    async def hit(self, checks: Sequence[Check]) -> Decision:
        """Takes the cost from every key, or, where one of them has not enough, from none.

        A cost above a rate's burst is never allowed. A key that occurs twice pays twice.
        """

"""The interface of rate limiters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from realtime.contract.rate_limit import RateLimit


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a call is allowed. If not, `failed_key` is the key with the longest wait, `retry_after_ms` that wait."""

    allowed: bool
    retry_after_ms: int = 0
    failed_key: str | None = None


ALLOWED = Decision(allowed=True)

Check = tuple[str, RateLimit, int]
"""The key of a counter, its limit, and the cost of the call in units (1 or more)."""


class Limiter(Protocol):
    """Counts by the generic cell rate algorithm (GCRA): as exact as a sliding window, with one number per key."""

    async def hit(self, checks: Sequence[Check]) -> Decision:
        """Takes the cost from every key, or from none where one of them has too little left.

        A cost above a limit's burst is never allowed. From a key that occurs twice the cost is taken twice.
        """

    async def peek(self, checks: Sequence[Check]) -> Decision:
        """What `hit` would decide now; takes nothing."""

    async def give_back(self, checks: Sequence[Check]) -> None:
        """Gives back what an allowed `hit` took, for a call that turned out not to count."""

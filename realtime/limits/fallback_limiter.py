"""Rate limits that still hold, per node, while Redis is away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.limits.limiter import Check, Decision, Limiter
from realtime.redis.client import StoreUnavailable


class FallbackLimiter:
    """Asks `primary`, and `fallback` for each call that finds the store of `primary` away.

    `on_fallback` is called for each decision of `fallback`. What was taken shortly before an outage begins or ends may
    be given back to the other one: one call more or less then.
    """

    def __init__(self, primary: Limiter, fallback: Limiter, *, on_fallback: Callable[[], None]) -> None:
        self._primary = primary
        self._fallback = fallback
        self._on_fallback = on_fallback

    async def hit(self, checks: Sequence[Check]) -> Decision:
        try:
            return await self._primary.hit(checks)
        except StoreUnavailable:
            self._on_fallback()
            return await self._fallback.hit(checks)

    async def peek(self, checks: Sequence[Check]) -> Decision:
        try:
            return await self._primary.peek(checks)
        except StoreUnavailable:
            self._on_fallback()
            return await self._fallback.peek(checks)

    async def give_back(self, checks: Sequence[Check]) -> None:
        try:
            await self._primary.give_back(checks)
        except StoreUnavailable:
            await self._fallback.give_back(checks)

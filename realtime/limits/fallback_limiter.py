"""Rate limits that still hold, per node, while Redis is away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.limits.limiter import Check, Decision, Limiter
from realtime.redis.client import StoreUnavailable


class FallbackLimiter:
    """Asks `primary`, and `fallback` for each call that finds the store of `primary` away.

    `on_fallback` is called for each decision of `fallback`.
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

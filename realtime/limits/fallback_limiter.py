"""Limits that go on without Redis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.limits.limiter import Check, Decision, Limiter
from realtime.redis.client import StoreUnavailable


class FallbackLimiter:
    """Counts over all nodes, and on this node alone while that store is away; back again by itself.

    `on_fallback` is called for each decision that was made without the store.
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

"""Rate limits over all nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

from redis.asyncio import Redis

from realtime.limits.limiter import ALLOWED, Check, Decision
from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import PipelinedConnection

TAKE: Final = "take"
LOOK: Final = "look"
"""The last argument of the script `gcra`."""


class RedisLimiter:
    """Counts in Redis, by its clock, in one round trip. A counter expires when it is full again.

    Raises StoreUnavailable at once while Redis is away. All keys of one call are passed to one script: on a Redis
    Cluster they would have to share a hash tag.
    """

    def __init__(self, redis: Redis, *, prefix: str = "limit:") -> None:
        self._connection = PipelinedConnection(redis)
        self._decide = LuaScript("gcra")
        self._give_back = LuaScript("gcra_give_back")
        self._take = LuaScript("gcra_take")
        self._prefix = prefix

    async def stop(self) -> None:
        await self._connection.stop()

    async def hit(self, checks: Sequence[Check]) -> Decision:
        return await self._decision(checks, TAKE)

    async def peek(self, checks: Sequence[Check]) -> Decision:
        return await self._decision(checks, LOOK)

    async def give_back(self, checks: Sequence[Check]) -> None:
        taken_us = [rate.interval_us * cost for _, rate, cost in checks]
        await self._give_back.run(self._connection, self._keys(checks), *taken_us)

    async def take(self, taken: Sequence[Check]) -> Sequence[int]:
        """Takes the cost from each key, below zero too; returns in how many microseconds each is full again."""
        numbers = [number for _, rate, cost in taken for number in (rate.interval_us, cost)]
        return cast(list[int], await self._take.run(self._connection, self._keys(taken), *numbers))

    async def _decision(self, checks: Sequence[Check], mode: str) -> Decision:
        numbers = [number for _, rate, cost in checks for number in (rate.interval_us, rate.tolerance_us, cost)]
        refused = await self._decide.run(self._connection, self._keys(checks), *numbers, mode)
        if not refused:
            return ALLOWED
        index, retry_after_ms = cast(list[int], refused)
        return Decision(allowed=False, retry_after_ms=retry_after_ms, failed_key=checks[index - 1][0])

    def _keys(self, checks: Sequence[Check]) -> list[str]:
        return [self._prefix + key for key, _, _ in checks]

"""Rate limits over all nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from redis.asyncio import Redis

from realtime.limits.limiter import ALLOWED, Check, Decision
from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import PipelinedConnection


class RedisLimiter:
    """Counts in Redis, by its clock, in one round trip. A counter expires when it is full again.

    Raises StoreUnavailable at once while Redis is away. All keys of one call are passed to one script: on a Redis
    Cluster they would have to share a hash tag.
    """

    def __init__(self, redis: Redis, *, prefix: str = "limit:") -> None:
        self._connection = PipelinedConnection(redis)
        self._script = LuaScript("gcra")
        self._prefix = prefix

    async def stop(self) -> None:
        await self._connection.stop()

    async def hit(self, checks: Sequence[Check]) -> Decision:
        keys = [self._prefix + key for key, _, _ in checks]
        arguments = [number for _, rate, cost in checks for number in (rate.interval_us, rate.tolerance_us, cost)]
        refused = await self._script.run(self._connection, keys, *arguments)
        if not refused:
            return ALLOWED
        index, retry_after_ms = cast(list[int], refused)
        return Decision(allowed=False, retry_after_ms=retry_after_ms, failed_key=checks[index - 1][0])

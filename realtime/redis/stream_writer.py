"""Appends entries to a Redis Stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from realtime.redis.client import StoreRefuses
from realtime.redis.pipelined_connection import PipelinedConnection


class StreamWriter:
    """Appends to one stream, in the order given, in one round trip; it keeps about `max_entries` entries."""

    def __init__(self, redis: Redis, stream: str, *, max_entries: int) -> None:
        self._connection = PipelinedConnection(redis)
        self._stream = stream
        self._max_entries = max_entries

    async def append(self, entries: Sequence[Mapping[str, str | bytes]]) -> None:
        """Raises StoreUnavailable while Redis is away, also where the key is no stream; some may have been appended."""
        replies = await self._connection.send_many(
            [
                (
                    "XADD",
                    self._stream,
                    "MAXLEN",
                    "~",
                    self._max_entries,
                    "*",
                    *(part for field in entry.items() for part in field),
                )
                for entry in entries
            ]
        )
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise StoreRefuses(f"{self._stream}: {reply}") from reply

    async def stop(self) -> None:
        await self._connection.stop()

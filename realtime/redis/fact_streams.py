"""Carries Facts to their consumers over Redis Streams: fast, but not durable. The outbox is the durable way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from redis.asyncio import ConnectionPool, Redis
from redis.exceptions import ResponseError

from realtime.redis.client import StoreRefuses, store_unavailable_when_away
from realtime.redis.lua_script import Call, LuaScript
from realtime.redis.pipelined_connection import PipelinedConnection

MAX_ENTRIES_PER_STREAM = 100_000
"""About how many entries a stream keeps; entries dropped before they were read come again from the outbox."""
ANSWER_WITHIN_S = 2.0

_ID = b"i"
_BODY = b"b"
_LOST = ("NOGROUP", "UNBLOCKED")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One Fact in a stream. `deliveries` counts how often it was delivered, this time included."""

    stream: str
    entry_id: str
    fact_id: int
    body: bytes
    deliveries: int


class FactStreams:
    """One stream per kind of Fact, one consumer group per consumer. Raises StoreUnavailable while Redis is away.

    Missing streams and groups are created, also after a FLUSHALL; a new group begins with the oldest entry.
    """

    def __init__(self, redis: Redis) -> None:
        self._publisher = PipelinedConnection(redis)
        self._retire = LuaScript("stream_retire")
        pool = redis.connection_pool
        # a blocking read waits longer than any timeout that other commands should have
        settings = {**pool.connection_kwargs, "socket_timeout": None}
        self._redis = Redis.from_pool(ConnectionPool(connection_class=pool.connection_class, **settings))

    async def stop(self) -> None:
        await self._publisher.stop()
        await self._redis.aclose()

    async def publish(self, entries: Sequence[tuple[str, int, bytes]]) -> None:
        """Appends (stream, Fact id, body) in this order, in one round trip. After an error some may be there."""
        replies = await self._publisher.send_many(
            [
                ("XADD", _key(stream), "MAXLEN", "~", MAX_ENTRIES_PER_STREAM, "*", _ID, fact_id, _BODY, body)
                for stream, fact_id, body in entries
            ]
        )
        for reply in replies:
            if isinstance(reply, ResponseError):
                raise reply

    async def ensure_groups(self, group: str, streams: Sequence[str]) -> None:
        """Creates the streams that are missing, and the group on them where it is missing."""
        for stream in streams:
            try:
                await self._within(self._redis.xgroup_create(_key(stream), group, id="0", mkstream=True))
            except ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise

    async def read(
        self, group: str, consumer_name: str, streams: Sequence[str], *, count: int, block_ms: int
    ) -> list[Entry]:
        """Up to `count` new entries of each stream; waits up to `block_ms` for the first, then returns none.

        An entry is delivered to one consumer of the group, which has to `ack` it.
        """
        names = {_key(stream): stream for stream in streams}

        async def read() -> list[Entry]:
            reply: Any = await self._within(
                self._redis.xreadgroup(group, consumer_name, dict.fromkeys(names, ">"), count=count, block=block_ms),
                block_ms / 1000,
            )
            return [
                _entry(names[key.decode()], entry_id, fields, deliveries=1)
                for key, entries in reply or ()
                for entry_id, fields in entries
                if fields
            ]

        return await self._healed(group, streams, read)

    async def reclaim(
        self, group: str, consumer_name: str, streams: Sequence[str], *, min_idle_ms: int, count: int
    ) -> list[Entry]:
        """Takes over up to `count` entries of each stream that were delivered `min_idle_ms` ago and never acked."""

        async def reclaim() -> list[Entry]:
            claimed: list[Entry] = []
            for stream in streams:
                pending: Any = await self._within(
                    self._redis.xpending_range(_key(stream), group, "-", "+", count, idle=min_idle_ms)
                )
                if pending:
                    deliveries = {row["message_id"]: row["times_delivered"] for row in pending}
                    rows: Any = await self._within(
                        self._redis.xclaim(_key(stream), group, consumer_name, min_idle_ms, list(deliveries))
                    )
                    claimed += [
                        _entry(stream, entry_id, fields, deliveries=deliveries[entry_id] + 1)
                        for entry_id, fields in rows
                        if fields
                    ]
            return claimed

        return await self._healed(group, streams, reclaim)

    async def ack(self, group: str, entries: Sequence[Entry]) -> None:
        """Marks entries as done by the group. One that is not acked can be taken over by `reclaim`."""
        by_stream: dict[str, list[str]] = {}
        for entry in entries:
            by_stream.setdefault(entry.stream, []).append(entry.entry_id)
        await self._publisher.send_many([("XACK", _key(stream), group, *ids) for stream, ids in by_stream.items()])

    async def retire(self, group: str, streams: Sequence[str], *, min_idle_ms: int) -> int:
        """Deletes consumers that were idle for `min_idle_ms` and have no unacked entries; returns how many.

        A deleted consumer that is still alive is created again by its next read.
        """
        calls: list[Call] = [([_key(stream)], [group, min_idle_ms]) for stream in streams]
        return sum(cast(list[int], await self._retire.run_many(self._publisher, calls)))

    async def lag(self, group: str, streams: Sequence[str]) -> int:
        """How many entries the group has not acked: those not yet delivered and those delivered."""
        total = 0
        for stream in streams:
            key = _key(stream)
            try:
                rows: Any = await self._within(self._redis.xinfo_groups(key))
            except ResponseError as error:
                if "no such key" not in str(error):
                    raise
                continue
            own = next((row for row in rows if row["name"] == group.encode()), None)
            unread: int | None = own["lag"] if own else None
            if unread is None:  # no such group yet, or the server does not know: an upper bound
                total += await self._within(self._redis.xlen(key))
            else:
                total += unread
            total += own["pending"] if own else 0
        return total

    async def _healed(self, group: str, streams: Sequence[str], work: Callable[[], Awaitable[T]]) -> T:
        """Calls `work`, and again after the streams or the group had to be created."""
        while True:
            try:
                return await work()
            except ResponseError as error:
                if not str(error).startswith(_LOST):
                    raise
            await self.ensure_groups(group, streams)

    async def _within(self, answer: Awaitable[T], block_s: float = 0.0) -> T:
        try:
            with store_unavailable_when_away():
                async with asyncio.timeout(block_s + ANSWER_WITHIN_S):
                    return await answer
        except StoreRefuses:
            # A demoted primary keeps its connections: only a new one can reach the server that has taken over.
            await self._redis.connection_pool.disconnect(inuse_connections=False)
            raise


def _key(stream: str) -> str:
    return f"{{facts}}:{stream}"


def _entry(stream: str, entry_id: bytes, fields: Mapping[bytes, bytes], *, deliveries: int) -> Entry:
    return Entry(stream, entry_id.decode(), int(fields[_ID]), fields[_BODY], deliveries)

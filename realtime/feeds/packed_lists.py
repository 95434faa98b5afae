"""Bounded lists of ids, one per owner, packed into 8 bytes an id."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import PipelinedConnection

BUCKETS = 16
"""How many groups of owners there are. One call stays within one group, so that it works on a cluster."""
OWNERS_PER_CALL = 1_000
TRIM_SLACK = 100
IDLE_TTL_S = 7 * 24 * 3600
LEASE_MS = 10_000
_PUSH_WITHIN_S = 5.0
_ANSWER_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class PackedList:
    """`ids`, largest first, without doubles: all above `floor` that were ever pushed, and maybe some below it."""

    ids: list[int]
    floor: int


class PackedLists:
    """Lists that take ids pushed in any order and any number of times, and never hide that something was cut off.

    A list that nobody has read for `idle_ttl_s` is gone. All methods raise StoreUnavailable while Redis is away.
    """

    def __init__(self, redis: Redis, *, prefix: str, max_length: int = 800, idle_ttl_s: int = IDLE_TTL_S) -> None:
        self._prefix = prefix
        self._max_length = max_length
        self._idle_ttl_s = idle_ttl_s
        # apart, so that no reader waits behind a large fan-out
        self._pushing = PipelinedConnection(redis, timeout_s=_PUSH_WITHIN_S)
        self._asking = PipelinedConnection(redis, timeout_s=_ANSWER_WITHIN_S)
        self._push = LuaScript("packed_trim", "packed_push")
        self._read = LuaScript("packed_read")
        self._begin = LuaScript("packed_begin")
        self._finish = LuaScript("packed_trim", "packed_finish")

    async def stop(self) -> None:
        await self._pushing.stop()
        await self._asking.stop()

    async def push(self, owner_ids: Sequence[int], item_id: int) -> int:
        """Puts an id into those of the owners' lists that exist; returns how many. A repeat does no harm."""
        arguments = (_pack(item_id), self._max_length, TRIM_SLACK)
        calls = [(keys, arguments) for keys in self._keys_of(owner_ids)]
        return sum(cast(list[int], await self._push.run_many(self._pushing, calls)))

    async def read(self, owner_id: int) -> PackedList | None:
        """The owner's list; None where there is none, or it is being built."""
        reply = await self._read.run(self._asking, [self._key(owner_id)], self._idle_ttl_s)
        if reply is None:
            return None
        floor, packed = cast(tuple[bytes, bytes], reply)
        ids = set(struct.unpack(f">{len(packed) // 8}Q", packed))
        return PackedList(sorted(ids, reverse=True), _unpack(floor))

    async def begin_rebuild(self, owner_id: int, lease_ms: int = LEASE_MS) -> bytes | None:
        """Takes the lease to build a list: read the rows only now, for from here on pushes land in it.

        None while somebody else holds the lease, or where a complete list stands: `forget` it first.
        """
        token = secrets.token_bytes(8)
        is_taken = await self._begin.run(self._asking, [self._key(owner_id)], token, lease_ms)
        return token if is_taken else None

    async def finish_rebuild(self, owner_id: int, token: bytes, ids: Sequence[int], floor: int) -> bool:
        """Puts the rows in: all that there are above `floor`.

        False when the list was forgotten or the lease taken over meanwhile: then nothing was written.
        """
        packed = struct.pack(f">{len(ids)}Q", *ids)
        arguments = (token, packed, _pack(floor), self._idle_ttl_s, self._max_length, TRIM_SLACK)
        return bool(await self._finish.run(self._asking, [self._key(owner_id)], *arguments))

    async def forget(self, owner_ids: Sequence[int]) -> None:
        """Drops lists, complete ones and those under construction."""
        await self._asking.send_many([("DEL", *keys) for keys in self._keys_of(owner_ids)])

    def _key(self, owner_id: int) -> str:
        return f"{self._prefix}:{{b{owner_id % BUCKETS}}}:{owner_id}"

    def _keys_of(self, owner_ids: Iterable[int]) -> list[list[str]]:
        """The keys in portions that one call may take."""
        buckets: list[list[str]] = [[] for _ in range(BUCKETS)]
        for owner_id in owner_ids:
            buckets[owner_id % BUCKETS].append(self._key(owner_id))
        return [
            keys[start : start + OWNERS_PER_CALL] for keys in buckets for start in range(0, len(keys), OWNERS_PER_CALL)
        ]


def _pack(number: int) -> bytes:
    return struct.pack(">Q", number)


def _unpack(packed: bytes) -> int:
    (number,) = struct.unpack(">Q", packed)
    return cast(int, number)

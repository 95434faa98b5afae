"""Bounded lists of ids in Redis, one per owner, 8 bytes per id."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from redis.asyncio import Redis

from realtime.contract.packed_ids import pack_ids, unpack_ids
from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import PipelinedConnection

BUCKETS = 16
"""Owners are divided into this many hash tags. One call stays within one, so that it works on a Redis Cluster."""
OWNERS_PER_CALL = 1_000
TRIM_SLACK = 100
LARGEST_ID = 2**64 - 1
ALL = 2**31
"""More ids than a list has."""
IDLE_TTL_S = 7 * 24 * 3600
LEASE_MS = 10_000
_PUSH_WITHIN_S = 5.0
_ANSWER_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class PackedList:
    """`ids`, largest first, without duplicates: all above `floor` that were ever pushed, and maybe some below it; of
    those that were asked for.

    `version` is the one that the list was built with.
    """

    ids: list[int]
    floor: int
    version: int = 0


class PackedLists:
    """Takes ids in any order and any number of times. Where a list is cut off, its `floor` rises above what is missing.

    A list that is not read for `idle_ttl_s` expires. All methods raise StoreUnavailable while Redis is away.
    """

    def __init__(self, redis: Redis, *, prefix: str, max_length: int = 800, idle_ttl_s: int = IDLE_TTL_S) -> None:
        self._prefix = prefix
        self._max_length = max_length
        self._idle_ttl_s = idle_ttl_s
        # two connections, so that no reader waits behind a large fan-out
        self._push_connection = PipelinedConnection(redis, timeout_s=_PUSH_WITHIN_S)
        self._read_connection = PipelinedConnection(redis, timeout_s=_ANSWER_WITHIN_S)
        self._push_script = LuaScript("packed_insert", "packed_trim", "packed_push")
        self._read_script = LuaScript("packed_insert", "packed_read")
        self._begin_script = LuaScript("packed_begin")
        self._finish_script = LuaScript("packed_insert", "packed_trim", "packed_finish")

    async def stop(self) -> None:
        await self._push_connection.stop()
        await self._read_connection.stop()

    async def push(self, owner_ids: Sequence[int], item_id: int) -> int:
        """Adds an id to those of the owners' lists that exist; returns how many exist. Repeats have no effect."""
        arguments = (pack_ids([item_id]), self._max_length, TRIM_SLACK)
        calls = [(keys, arguments) for keys in self._keys_of(owner_ids)]
        return sum(cast(list[int], await self._push_script.run_many(self._push_connection, calls)))

    async def read(self, owner_id: int, *, below: int = LARGEST_ID, count: int = ALL) -> PackedList | None:
        """The largest `count` ids below one of the owner's list; None where there is none, or while it is being built.

        Where the list has more ids, they are below the `floor` of the answer.
        """
        arguments = (self._idle_ttl_s, pack_ids([below]), count)
        reply = await self._read_script.run(self._read_connection, [self._key(owner_id)], *arguments)
        if reply is None:
            return None
        tail, packed, is_all = cast(tuple[bytes, bytes, int], reply)
        (floor, version), ids = unpack_ids(tail), list(unpack_ids(packed))
        return PackedList(ids, floor if is_all else max(floor, ids[-1]), version)

    async def begin_rebuild(self, owner_id: int, lease_ms: int = LEASE_MS) -> bytes | None:
        """Takes the lease to build a list and returns its token. From now on the list takes pushes.

        So read the rows only after this. None while another caller holds the lease, or where there is a complete list:
        `forget` it first.
        """
        token = secrets.token_bytes(8)
        is_taken = await self._begin_script.run(self._read_connection, [self._key(owner_id)], token, lease_ms)
        return token if is_taken else None

    async def finish_rebuild(
        self, owner_id: int, token: bytes, ids: Sequence[int], floor: int, *, version: int = 0
    ) -> bool:
        """Completes the list with the ids of its rows: all that there are above `floor`.

        `version` is stored with it, for the caller to recognise a list whose rows would be others now.

        False, and nothing is written, where the list was forgotten or the lease taken over meanwhile.
        """
        in_order = sorted(set(ids), reverse=True)
        arguments = (
            token,
            pack_ids(in_order),
            pack_ids([floor, version]),
            self._idle_ttl_s,
            self._max_length,
            TRIM_SLACK,
        )
        return bool(await self._finish_script.run(self._read_connection, [self._key(owner_id)], *arguments))

    async def forget(self, owner_ids: Sequence[int]) -> None:
        """Deletes lists, complete ones and those being built."""
        await self._read_connection.send_many([("DEL", *keys) for keys in self._keys_of(owner_ids)])

    def _key(self, owner_id: int) -> str:
        return f"{self._prefix}:{{b{owner_id % BUCKETS}}}:{owner_id}"

    def _keys_of(self, owner_ids: Iterable[int]) -> list[list[str]]:
        """The keys of the lists in groups that fit into one call."""
        buckets: list[list[str]] = [[] for _ in range(BUCKETS)]
        for owner_id in owner_ids:
            buckets[owner_id % BUCKETS].append(self._key(owner_id))
        return [
            keys[start : start + OWNERS_PER_CALL] for keys in buckets for start in range(0, len(keys), OWNERS_PER_CALL)
        ]

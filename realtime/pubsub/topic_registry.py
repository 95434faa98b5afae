"""Registers in Redis which users subscribe a topic on which node, so that one message per node reaches them all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import structlog
from redis.asyncio import Redis

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.redis.client import StoreUnavailable
from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import Argument, PipelinedConnection

TTL_S = 60
"""How long the entries of a node that died remain."""
CHECK_EVERY_S = 1.0
IDS_PER_CALL = 1_000

# A member of each node's set. A set without it was lost, even if later additions have created it again.
_MARK = b"here"

log = structlog.get_logger(__name__)


class _Topic:
    __slots__ = ("is_registered", "must_report_loss", "name", "registrations", "users")

    def __init__(self, name: str) -> None:
        self.name = name
        self.users: Counter[int] = Counter()
        self.is_registered = False
        self.must_report_loss = False
        self.registrations = 0

    def mark_lost(self) -> None:
        """Redis lacks subscribers of this node, which may miss pushes until they are registered again."""
        self.is_registered = False
        self.must_report_loss = True


class TopicRegistry:
    """Writes the subscribers of this node to Redis and reads those of all nodes.

    What Redis loses is written again within about a second; then `on_lost(topic)` says that messages may have been
    missed. A process that only reads needs no `start`. Apart from `start`, `stop` and `abandon` all methods raise
    StoreUnavailable while Redis is away.
    """

    def __init__(self, redis: Redis, node_id: str) -> None:
        self._node_id = node_id
        self._connection = PipelinedConnection(redis)
        self._among_script = LuaScript("topic_subscribers_among")
        self._all_script = LuaScript("topic_subscribers_all")
        self._topics: dict[str, _Topic] = {}
        self._on_lost: Callable[[str], None] | None = None
        self._check_task: asyncio.Task[None] | None = None

    async def start(self, *, on_lost: Callable[[str], None]) -> None:
        """Keeps this node's entries from expiring from now on."""
        self._on_lost = on_lost
        self._check_task = asyncio.create_task(self._check(), name="topic-registry-check")

    async def stop(self) -> None:
        """Deletes this node's entries, as far as Redis can be reached, and closes the connection."""
        await end_task(self._check_task)
        self._check_task = None
        if self._topics:
            deletions: list[tuple[Argument, ...]] = []
            for name in self._topics:
                deletions += [("DEL", self._own_key(name)), ("SREM", _nodes_key(name), self._node_id)]
            with contextlib.suppress(StoreUnavailable):  # the entries expire
                await self._connection.send_many(deletions)
        self._topics.clear()
        await self._connection.stop()

    async def add_subscribers(self, topic: str, *user_ids: int) -> None:
        """Adds one reference for each user; when it returns, publishers on all nodes know of these subscribers.

        After StoreUnavailable the references count, and are written as soon as Redis is back.
        """
        entry = self._topics.setdefault(topic, _Topic(topic))
        entry.users.update(user_ids)
        await self._write(entry, "SADD", user_ids)

    async def remove_subscribers(self, topic: str, *user_ids: int) -> None:
        """Drops one reference of each user; one without references no longer subscribes the topic on this node."""
        entry = self._topics.get(topic)
        if entry is None:
            return
        known = [user_id for user_id in user_ids if user_id in entry.users]
        entry.users.subtract(known)
        gone = [user_id for user_id in known if not entry.users[user_id]]
        for user_id in gone:
            del entry.users[user_id]
        await self._write(entry, "SREM", gone)

    async def abandon(self, topic: str, *, expire_after_s: float) -> None:
        """Forgets a topic here; in Redis its entries remain for `expire_after_s`, or TTL_S while Redis is away."""
        if self._topics.pop(topic, None) is not None:
            with contextlib.suppress(StoreUnavailable):  # then the entries expire by themselves
                expire_after_ms = max(1, round(expire_after_s * 1000))
                await self._connection.send("PEXPIRE", self._own_key(topic), expire_after_ms)

    async def subscribers_by_node(self, topic: str, user_ids: Sequence[int]) -> dict[str, list[int]]:
        """Those of these users who subscribe the topic now, by node id; nodes without any are absent."""
        calls = [
            ([_nodes_key(topic)], [" ".join(map(str, user_ids[start : start + IDS_PER_CALL]))])
            for start in range(0, len(user_ids), IDS_PER_CALL)
        ]
        found: dict[str, list[int]] = {}
        for reply in await self._among_script.run_many(self._connection, calls):
            for node_id, members in _by_node(reply):
                found.setdefault(node_id, []).extend(map(int, members.split()))
        return found

    async def all_subscribers_by_node(self, topic: str) -> dict[str, set[int]]:
        """All users who subscribe the topic now, by node id; nodes without any are absent."""
        reply = await self._all_script.run(self._connection, [_nodes_key(topic)])
        users = {
            node_id: {int(member) for member in members.split() if member != _MARK}
            for node_id, members in _by_node(reply)
        }
        return {node_id: members for node_id, members in users.items() if members}

    async def _write(self, topic: _Topic, verb: str, user_ids: Sequence[int]) -> None:
        """Changes this node's set. One connection carries all changes: they take effect in the order of the calls."""
        if not user_ids:
            return
        try:
            while topic.is_registered:
                registrations = topic.registrations
                key = self._own_key(topic.name)
                changes: list[tuple[Argument, ...]] = [
                    (verb, key, *user_ids[at : at + IDS_PER_CALL]) for at in range(0, len(user_ids), IDS_PER_CALL)
                ]
                *_, is_marked = await self._connection.send_many([*changes, ("SISMEMBER", key, _MARK)])
                if is_marked:
                    return
                if registrations == topic.registrations:
                    topic.mark_lost()
            await self._register(topic)
        except StoreUnavailable:
            topic.mark_lost()
            raise

    async def _register(self, topic: _Topic) -> None:
        """Replaces this node's set in Redis by all subscribers known here."""
        topic.is_registered = True
        topic.registrations += 1
        key = self._own_key(topic.name)
        users: list[Argument] = list(topic.users)
        await self._connection.send_many(
            [
                ("MULTI",),
                ("DEL", key),
                ("SADD", key, _MARK),
                *(("SADD", key, *users[at : at + IDS_PER_CALL]) for at in range(0, len(users), IDS_PER_CALL)),
                ("EXPIRE", key, TTL_S),
                ("SADD", _nodes_key(topic.name), self._node_id),
                ("EXEC",),
            ]
        )
        if topic.must_report_loss and self._on_lost is not None:
            topic.must_report_loss = False
            self._on_lost(topic.name)

    async def _check(self) -> None:
        """Keeps the entries from expiring, and writes them again where Redis has lost them."""
        defects = OutageLog(log, "topic_not_renewed", known=())
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            for topic in list(self._topics.values()):
                try:
                    await self._renew(topic)
                    defects.succeeded()
                except StoreUnavailable:
                    topic.mark_lost()
                except Exception as error:
                    defects.failed(error, topic=topic.name)

    async def _renew(self, topic: _Topic) -> None:
        registrations = topic.registrations
        key = self._own_key(topic.name)
        if topic.is_registered:
            is_marked, _ = await self._connection.send_many([("SISMEMBER", key, _MARK), ("EXPIRE", key, TTL_S)])
            if not is_marked and registrations == topic.registrations:
                topic.mark_lost()
        if not topic.is_registered:
            await self._register(topic)

    def _own_key(self, topic: str) -> str:
        return f"{_nodes_key(topic)}:{self._node_id}"


def _nodes_key(topic: str) -> str:
    return f"listen:{{{topic}}}"


def _by_node(reply: object) -> Iterator[tuple[str, bytes]]:
    flat = cast(list[bytes], reply)
    for node_id, members in zip(flat[::2], flat[1::2], strict=True):
        yield node_id.decode(), members

"""Who listens to a topic on which node, so that one message per node reaches them all."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import cast

import structlog
from redis.asyncio import Redis

from realtime.process.background_tasks import end_task
from realtime.redis.client import StoreUnavailable
from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import Argument, PipelinedConnection

TTL_S = 60
"""How long a node that died is still taken for alive."""
CHECK_EVERY_S = 1.0
IDS_PER_CALL = 1_000

# Stands in each node's set. Where it is missing the set was lost, even if later additions have made it anew.
_MARK = b"here"

log = structlog.get_logger(__name__)


class _Topic:
    __slots__ = ("is_registered", "name", "owes_notice", "registrations", "users")

    def __init__(self, name: str) -> None:
        self.name = name
        self.users: Counter[int] = Counter()
        self.is_registered = False
        self.owes_notice = False
        self.registrations = 0

    def missed(self) -> None:
        """Redis does not know what is known here; somebody may go without a message until it does."""
        self.is_registered = False
        self.owes_notice = True


class TopicRegistry:
    """This node's topic_registry, told to the others through Redis, and what the others have told.

    What Redis forgets is written again within about a second; then `on_lost(topic)` says that messages may have been
    missed. A process that only asks needs no `start`. Everything else raises StoreUnavailable while Redis is away.
    """

    def __init__(self, redis: Redis, node_id: str) -> None:
        self._node_id = node_id
        self._connection = PipelinedConnection(redis)
        self._among = LuaScript("listeners_among")
        self._all = LuaScript("listeners_all")
        self._topics: dict[str, _Topic] = {}
        self._on_lost: Callable[[str], None] | None = None
        self._checking: asyncio.Task[None] | None = None

    async def start(self, *, on_lost: Callable[[str], None]) -> None:
        """Begins to keep this node's entries alive."""
        self._on_lost = on_lost
        self._checking = asyncio.create_task(self._check(), name="topic_registry-check")

    async def stop(self) -> None:
        """Takes this node's entries out, as far as Redis can be reached, and closes the connection."""
        await end_task(self._checking)
        self._checking = None
        if self._topics:
            farewell: list[tuple[Argument, ...]] = []
            for name in self._topics:
                farewell += [("DEL", self._own_key(name)), ("SREM", _nodes_key(name), self._node_id)]
            with contextlib.suppress(StoreUnavailable):  # the entries expire
                await self._connection.send_many(farewell)
        self._topics.clear()
        await self._connection.stop()

    async def add(self, topic: str, *user_ids: int) -> None:
        """Adds one reference for each; when it returns, senders on all nodes know of the topic_registry.

        After StoreUnavailable the references stand, and are told as soon as Redis is back.
        """
        entry = self._topics.setdefault(topic, _Topic(topic))
        entry.users.update(user_ids)
        await self._tell(entry, "SADD", user_ids)

    async def remove(self, topic: str, *user_ids: int) -> None:
        """Takes one reference of each back; with the last one the person listens no more on this node."""
        entry = self._topics.get(topic)
        if entry is None:
            return
        known = [user_id for user_id in user_ids if user_id in entry.users]
        entry.users.subtract(known)
        gone = [user_id for user_id in known if not entry.users[user_id]]
        for user_id in gone:
            del entry.users[user_id]
        await self._tell(entry, "SREM", gone)

    async def leave_behind(self, topic: str, for_s: float) -> None:
        """Forgets a topic here; the others take its people for listening for so long still, if Redis can be reached."""
        if self._topics.pop(topic, None) is not None:
            with contextlib.suppress(StoreUnavailable):  # then the entries expire by themselves
                await self._connection.send("PEXPIRE", self._own_key(topic), max(1, round(for_s * 1000)))

    async def on_nodes(self, topic: str, user_ids: Sequence[int]) -> dict[str, list[int]]:
        """Those of these people who listen now, by node; nodes without any are absent."""
        calls = [
            ([_nodes_key(topic)], [" ".join(map(str, user_ids[start : start + IDS_PER_CALL]))])
            for start in range(0, len(user_ids), IDS_PER_CALL)
        ]
        found: dict[str, list[int]] = {}
        for reply in await self._among.run_many(self._connection, calls):
            for node_id, members in _by_node(reply):
                found.setdefault(node_id, []).extend(map(int, members.split()))
        return found

    async def all_on_nodes(self, topic: str) -> dict[str, set[int]]:
        """Everybody who listens now, by node; nodes without any are absent."""
        reply = await self._all.run(self._connection, [_nodes_key(topic)])
        everybody = {
            node_id: {int(member) for member in members.split() if member != _MARK}
            for node_id, members in _by_node(reply)
        }
        return {node_id: members for node_id, members in everybody.items() if members}

    async def _tell(self, topic: _Topic, verb: str, user_ids: Sequence[int]) -> None:
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
                    topic.missed()
            await self._register(topic)
        except StoreUnavailable:
            topic.missed()
            raise

    async def _register(self, topic: _Topic) -> None:
        """Writes all that is known here of a topic in the place of whatever stood there."""
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
        if topic.owes_notice and self._on_lost is not None:
            topic.owes_notice = False
            self._on_lost(topic.name)

    async def _check(self) -> None:
        """Keeps the entries alive, and writes them again where Redis has lost them."""
        while True:
            await asyncio.sleep(CHECK_EVERY_S)
            for topic in list(self._topics.values()):
                try:
                    await self._renew(topic)
                except StoreUnavailable:
                    topic.missed()
                except Exception:
                    log.exception("listeners_not_renewed", topic=topic.name)

    async def _renew(self, topic: _Topic) -> None:
        registrations = topic.registrations
        key = self._own_key(topic.name)
        if topic.is_registered:
            is_marked, _ = await self._connection.send_many([("SISMEMBER", key, _MARK), ("EXPIRE", key, TTL_S)])
            if not is_marked and registrations == topic.registrations:
                topic.missed()
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

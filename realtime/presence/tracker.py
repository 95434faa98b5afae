"""Tracks which users are online on any node: those with a connected device, and for a grace time after the last one."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from realtime.contract.packed_ids import ID_BYTES, pack_ids, unpack_ids
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.pubsub.backplane import MAX_BODY_BYTES, Backplane
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import StoreUnavailable

TOPIC = "presence"
"""A user is online while the registry has them as a subscriber of this topic; the entries of a dead node expire."""
CHANNEL = "presence"
"""Carries the ids of users whose presence may have changed, to the nodes with sessions that watch presence."""
PUBLISH_EVERY_S = 1.0
IDS_PER_MESSAGE = (MAX_BODY_BYTES - 1) // ID_BYTES
SAVE_WITHIN_S = 1.0
"""How long `stop` waits for `save_last_seen`."""

_KIND = b"p"

SaveLastSeen = Callable[[Mapping[int, int]], Awaitable[None]]
"""Stores when users were last online, by user id, in Unix milliseconds; must not raise."""

log = structlog.get_logger(__name__)


class PresenceTracker:
    """Publishes which users have devices on this node, at most once a second and then all changes together.

    A user who reconnects within `grace_s`, to whatever node, was online all the time: mass reconnects publish nothing.
    `now_s` is a clock that never goes back.
    """

    def __init__(
        self,
        topic_registry: TopicRegistry,
        backplane: Backplane,
        *,
        grace_s: float,
        save_last_seen: SaveLastSeen,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic_registry = topic_registry
        self._backplane = backplane
        self._grace_s = grace_s
        self._save_last_seen = save_last_seen
        self._now_s = now_s
        self._users: dict[str, int] = {}
        self._device_counts: Counter[int] = Counter()
        self._published: set[int] = set()
        self._to_publish: set[int] = set()
        self._in_grace: dict[int, tuple[float, int]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="presence")

    async def stop(self) -> None:
        """Publishes nothing more. The users of this node stay online for the grace time, to reach another node."""
        await end_task(self._task)
        self._task = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SAVE_WITHIN_S):
                await self._save_last_seen({user_id: left_ms for user_id, (_, left_ms) in self._in_grace.items()})
        await self._topic_registry.abandon(TOPIC, expire_after_s=self._grace_s)

    def device_connected(self, device: str, user_id: int) -> None:
        """A device of this user is connected to this node. A repeated call for a device has no effect."""
        if device in self._users:
            return
        self._users[device] = user_id
        self._device_counts[user_id] += 1
        self._in_grace.pop(user_id, None)
        if user_id not in self._published:
            self._to_publish.add(user_id)

    def device_disconnected(self, device: str) -> None:
        """A device is no longer connected. For an unknown device nothing happens."""
        user_id = self._users.pop(device, None)
        if user_id is None:
            return
        self._device_counts[user_id] -= 1
        if not self._device_counts[user_id]:
            del self._device_counts[user_id]
            self._in_grace[user_id] = (self._now_s() + self._grace_s, round(time.time() * 1000))

    async def online(self, user_ids: Sequence[int]) -> set[int]:
        """Those of these users who are online now. Raises StoreUnavailable."""
        by_node = await self._topic_registry.subscribers_by_node(TOPIC, user_ids)
        return {user_id for found in by_node.values() for user_id in found}

    async def publish_changes(self) -> None:
        """Publishes to all nodes which users came online and which went offline; nothing where nothing changed."""
        came, self._to_publish = self._to_publish, set()
        self._published |= came
        went = self._end_grace()
        if not came and not went:
            return
        # A node that gets the message reads the registry and the table: both are written first.
        if went:
            await self._save_last_seen(went)
        # Where Redis is away the registry is written later, and watches are checked again.
        with contextlib.suppress(StoreUnavailable):
            await self._topic_registry.add_subscribers(TOPIC, *came)
        with contextlib.suppress(StoreUnavailable):
            await self._topic_registry.remove_subscribers(TOPIC, *went)
        changed = [*came, *went]
        await self._backplane.publish(
            [
                (CHANNEL, pack_changed(changed[start : start + IDS_PER_MESSAGE]))
                for start in range(0, len(changed), IDS_PER_MESSAGE)
            ]
        )

    def _end_grace(self) -> dict[int, int]:
        """Removes the users whose grace time is over; returns the Unix milliseconds at which each of them left."""
        now_s, ended = self._now_s(), dict[int, int]()
        for user_id, (due_s, left_ms) in self._in_grace.items():  # ordered by time
            if due_s > now_s:
                break
            ended[user_id] = left_ms
        for user_id in ended:
            del self._in_grace[user_id]
        self._published.difference_update(ended)
        return ended

    async def _run(self) -> None:
        defects = OutageLog(log, "presence_not_published", known=())
        while True:
            await asyncio.sleep(PUBLISH_EVERY_S)
            try:
                await self.publish_changes()
                defects.succeeded()
            except Exception as error:
                defects.failed(error)


def pack_changed(user_ids: Sequence[int]) -> bytes:
    """The body of a message; it begins with a letter, since the backplane keeps bodies with a zero byte for itself."""
    return _KIND + pack_ids(user_ids)


def unpack_changed(body: bytes) -> tuple[int, ...]:
    """Raises ValueError for a body that is no such message."""
    if body[:1] != _KIND:
        raise ValueError("not a list of changed users")
    return unpack_ids(body[1:])

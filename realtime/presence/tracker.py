"""Who is online, over all nodes: whoever has a device on any of them, and for a while after the last one has left."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog

from realtime.process.background_tasks import end_task
from realtime.pubsub.backplane import MAX_BODY_BYTES, Backplane
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import StoreUnavailable

TOPIC = "presence"
"""A person is online while this topic of the registry has them on any node; what a dead node wrote there expires."""
CHANNEL = "presence"
"""Carries the ids of people whose presence may have changed, to the nodes where somebody watches anybody."""
TELL_EVERY_S = 1.0
IDS_PER_MESSAGE = (MAX_BODY_BYTES - 1) // 8
GIVE_UP_NOTING_S = 1.0

_KIND = b"p"

NoteLeft = Callable[[Mapping[int, int]], Awaitable[None]]
"""Keeps when people were last seen, in Unix milliseconds; must not raise."""

log = structlog.get_logger(__name__)


class PresenceTracker:
    """This node's devices, told to the other nodes at most once a second, all changes of that second together.

    Whoever comes back within `grace_s` was never gone, whichever node they come back to: mass reconnects say nothing.
    `now_s` is a clock that never goes back.
    """

    def __init__(
        self,
        topic_registry: TopicRegistry,
        backplane: Backplane,
        *,
        grace_s: float,
        note_left: NoteLeft,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topic_registry = topic_registry
        self._backplane = backplane
        self._grace_s = grace_s
        self._note_left = note_left
        self._now_s = now_s
        self._owners: dict[str, int] = {}
        self._device_counts: Counter[int] = Counter()
        self._told: set[int] = set()
        self._arrived: set[int] = set()
        self._leaving: dict[int, tuple[float, int]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="presence")

    async def stop(self) -> None:
        """Tells nothing more. Whoever was here stays online for the grace, time enough to reach another node."""
        await end_task(self._task)
        self._task = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GIVE_UP_NOTING_S):
                await self._note_left({user_id: left_ms for user_id, (_, left_ms) in self._leaving.items()})
        await self._topic_registry.leave_behind(TOPIC, self._grace_s)

    def arrive(self, device: str, user_id: int) -> None:
        """A device of this person is connected here. Said twice, it counts once."""
        if device in self._owners:
            return
        self._owners[device] = user_id
        self._device_counts[user_id] += 1
        self._leaving.pop(user_id, None)
        if user_id not in self._told:
            self._arrived.add(user_id)

    def depart(self, device: str) -> None:
        """A device is gone; nothing happens where it never arrived."""
        user_id = self._owners.pop(device, None)
        if user_id is None:
            return
        self._device_counts[user_id] -= 1
        if not self._device_counts[user_id]:
            del self._device_counts[user_id]
            self._leaving[user_id] = (self._now_s() + self._grace_s, round(time.time() * 1000))

    async def online(self, user_ids: Sequence[int]) -> set[int]:
        """Those of these people who are online now. Raises StoreUnavailable."""
        by_node = await self._topic_registry.on_nodes(TOPIC, user_ids)
        return {user_id for found in by_node.values() for user_id in found}

    async def tell(self) -> None:
        """Lets all nodes know who has come and who stayed away; nothing is said where nothing changed."""
        arrived, self._arrived = self._arrived, set()
        self._told |= arrived
        left = self._take_left()
        if not arrived and not left:
            return
        # What is read after the message must be there before it.
        if left:
            await self._note_left(left)
        # Where Redis is away the registry makes up for it later, and watchers look again.
        with contextlib.suppress(StoreUnavailable):
            await self._topic_registry.add(TOPIC, *arrived)
        with contextlib.suppress(StoreUnavailable):
            await self._topic_registry.remove(TOPIC, *left)
        changed = [*arrived, *left]
        await self._backplane.publish_many(
            [
                (CHANNEL, pack_ids(changed[start : start + IDS_PER_MESSAGE]))
                for start in range(0, len(changed), IDS_PER_MESSAGE)
            ]
        )

    def _take_left(self) -> dict[int, int]:
        """Those whose grace is over, with the time when they left. The first to leave stand first."""
        now_s, left = self._now_s(), dict[int, int]()
        for user_id, (due_s, left_ms) in self._leaving.items():
            if due_s > now_s:
                break
            left[user_id] = left_ms
        for user_id in left:
            del self._leaving[user_id]
        self._told.difference_update(left)
        return left

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY_S)
            try:
                await self.tell()
            except Exception:
                log.exception("presence_not_told")


def pack_ids(user_ids: Sequence[int]) -> bytes:
    """The body of a message; it begins with a letter, since the backplane keeps bodies with a zero for itself."""
    return _KIND + struct.pack(f">{len(user_ids)}Q", *user_ids)


def unpack_ids(body: bytes) -> tuple[int, ...]:
    """Raises ValueError for a body that is no list of ids."""
    if body[:1] != _KIND or len(body) % 8 != 1:
        raise ValueError("not a list of ids")
    return struct.unpack(f">{len(body) // 8}Q", body[1:])

"""Which sessions of this node are in which rooms and hear which topics, and that the other nodes know of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import structlog

from realtime.engine.hub import Hub
from realtime.engine.session.session import Session
from realtime.process.background_tasks import end_task
from realtime.process.outage import Outage
from realtime.pubsub import rooms
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import StoreUnavailable

log = structlog.get_logger(__name__)


class Membership:
    """Rooms have a channel that this node subscribes while it has a member; topics are found through the registry of
    topic_registry. A session that is gone is in no room, however its calls interleave.
    """

    def __init__(self, hub: Hub, backplane: Backplane, topic_registry: TopicRegistry) -> None:
        self._hub = hub
        self._backplane = backplane
        self._topic_registry = topic_registry
        self._topics: dict[Session, frozenset[tuple[str, int]]] = {}
        self._chores: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()
        self._chore_task: asyncio.Task[None] | None = None
        self._outage = Outage(log, "listeners_known_here_only")

    def start(self) -> None:
        self._chore_task = asyncio.create_task(self._do_chores(), name="membership-chores")

    async def stop(self) -> None:
        await end_task(self._chore_task)
        self._chore_task = None

    def admit(self, member: Session) -> None:
        """Makes a session known; only then may it enter rooms."""
        self._topics[member] = frozenset()

    def release(self, member: Session) -> None:
        """Takes a session that is gone out of all its rooms; the channels are let go in the background."""
        topics = self._topics.pop(member, None)
        if topics is None:
            return
        shared = member.rooms - {rooms.topic_room(topic, user_id) for topic, user_id in topics}
        self._hub.leave_all(member)
        for room in shared:
            self.later(partial(self._backplane.unsubscribe, rooms.room_channel(room)))
        for topic, user_id in topics:
            self.later(partial(self._stop_listening, topic, user_id))

    def __contains__(self, member: Session) -> bool:
        return member in self._topics

    async def enter(self, member: Session, *entered: str) -> bool:
        """Puts a session into rooms; when it returns True, whatever is published from then on arrives.

        False: the backplane is away. Then the session hears its own node only, and a `resync` when the backplane is
        back. False too for a session that is gone.
        """
        if member not in self._topics:
            return False
        new = [room for room in dict.fromkeys(entered) if room not in member.rooms]
        for room in new:
            self._hub.join(member, room)
        return await self._backplane.subscribe(*(rooms.room_channel(room) for room in new))

    async def leave(self, member: Session, room: str) -> None:
        if member not in self._topics or room not in member.rooms:
            return
        self._hub.leave(member, room)
        await self._backplane.unsubscribe(rooms.room_channel(room))

    async def listen(self, member: Session, topic: str, user_id: int) -> bool:
        """Lets a session hear a topic as this person; when it returns True, senders on all nodes know of it.

        False: the registry is away and this node alone knows; it tells the others, and the session to `resync`,
        afterwards. False too for a session that is gone.
        """
        topics = self._topics.get(member)
        if topics is None:
            return False
        if (topic, user_id) in topics:
            return True
        self._topics[member] = topics | {(topic, user_id)}
        self._hub.join(member, rooms.topic_room(topic, user_id))
        try:
            await self._topic_registry.add(topic, user_id)
        except StoreUnavailable as error:
            self._outage.goes_on(error)
            return False
        self._outage.is_over()
        return True

    def topics(self, member: Session) -> Collection[tuple[str, int]]:
        """What a session hears, and as whom."""
        return tuple(self._topics.get(member, ()))

    async def unlisten(self, member: Session, topic: str, user_id: int) -> None:
        topics = self._topics.get(member)
        if topics is None or (topic, user_id) not in topics:
            return
        self._topics[member] = topics - {(topic, user_id)}
        self._hub.leave(member, rooms.topic_room(topic, user_id))
        await self._stop_listening(topic, user_id)

    def listening(self, topic: str | None = None) -> Collection[tuple[Session, str]]:
        """Members with a topic that they hear; of one topic, or of all."""
        return [
            (member, name)
            for member, topics in self._topics.items()
            for name in {name for name, _ in topics}
            if topic is None or name == topic
        ]

    def later(self, chore: Callable[[], Awaitable[object]]) -> None:
        """Does something in the background, one thing after the other."""
        self._chores.put_nowait(chore)

    async def _stop_listening(self, topic: str, user_id: int) -> None:
        try:
            await self._topic_registry.remove(topic, user_id)
        except StoreUnavailable as error:
            self._outage.goes_on(error)

    async def _do_chores(self) -> None:
        while True:
            chore = await self._chores.get()
            try:
                await chore()
            except Exception:
                log.exception("membership_chore_failed")

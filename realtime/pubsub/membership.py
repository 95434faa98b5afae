"""The rooms and topics of this node's sessions, kept in step with the channels and the topic registry in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import structlog

from realtime.engine.hub import Hub
from realtime.engine.session.session import Session
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.pubsub import room_names
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import StoreUnavailable

log = structlog.get_logger(__name__)


class Membership:
    """Puts sessions into rooms and subscribes them to topics.

    A room has a channel that this node subscribes while the room has members here; a topic's subscribers stand in the
    topic registry. A session that was removed is in no room, whatever calls for it are still under way.
    """

    def __init__(self, hub: Hub, backplane: Backplane, topic_registry: TopicRegistry) -> None:
        self._hub = hub
        self._backplane = backplane
        self._topic_registry = topic_registry
        self._topics: dict[Session, frozenset[tuple[str, int]]] = {}
        self._jobs: asyncio.Queue[Callable[[], Awaitable[object]]] = asyncio.Queue()
        self._job_task: asyncio.Task[None] | None = None
        self._outage = OutageLog(log, "topic_registry_unavailable")

    def start(self) -> None:
        self._job_task = asyncio.create_task(self._run_jobs(), name="membership-jobs")

    async def stop(self) -> None:
        await end_task(self._job_task)
        self._job_task = None

    def add_session(self, session: Session) -> None:
        """Lets a session join rooms and subscribe topics from now on."""
        self._topics[session] = frozenset()

    def remove_session(self, session: Session) -> None:
        """Takes a session that has ended out of all rooms and topics; Redis is updated in the background."""
        topics = self._topics.pop(session, None)
        if topics is None:
            return
        with_channel = session.rooms - {room_names.topic_room(topic, user_id) for topic, user_id in topics}
        self._hub.leave_all(session)
        for room in with_channel:
            self.run_later(partial(self._backplane.unsubscribe, room_names.room_channel(room)))
        for topic, user_id in topics:
            self.run_later(partial(self._unregister, topic, user_id))

    def sessions(self) -> Collection[Session]:
        """A snapshot of all sessions."""
        return tuple(self._topics)

    def __contains__(self, session: Session) -> bool:
        return session in self._topics

    async def join(self, session: Session, *joined: str) -> bool:
        """Puts a session into rooms; when it returns True, whatever is published from then on arrives.

        False: the backplane is away. Until it is back the session receives pushes of its own node only, and then a
        `resync`. False too for a session that was removed.
        """
        if session not in self._topics:
            return False
        new = [room for room in dict.fromkeys(joined) if room not in session.rooms]
        for room in new:
            self._hub.join(session, room)
        return await self._backplane.subscribe(*(room_names.room_channel(room) for room in new))

    async def leave(self, session: Session, room: str) -> None:
        if session not in self._topics or room not in session.rooms:
            return
        self._hub.leave(session, room)
        await self._backplane.unsubscribe(room_names.room_channel(room))

    def leave_soon(self, session: Session, room: str) -> None:
        """Takes a session out of a room at once; the channel is unsubscribed in the background."""
        if session in self._topics and room in session.rooms:
            self._hub.leave(session, room)
            self.run_later(partial(self._backplane.unsubscribe, room_names.room_channel(room)))

    async def subscribe(self, session: Session, topic: str, user_id: int) -> bool:
        """Subscribes a session to a topic as this user; when it returns True, publishers on all nodes know of it.

        False: the registry is away, and only this node knows. When the registry is back the other nodes learn of it,
        and the session gets a `resync`. False too for a session that was removed.
        """
        topics = self._topics.get(session)
        if topics is None:
            return False
        if (topic, user_id) in topics:
            return True
        self._topics[session] = topics | {(topic, user_id)}
        self._hub.join(session, room_names.topic_room(topic, user_id))
        try:
            await self._topic_registry.add_subscribers(topic, user_id)
        except StoreUnavailable as error:
            self._outage.failed(error)
            return False
        self._outage.succeeded()
        return True

    async def unsubscribe(self, session: Session, topic: str, user_id: int) -> None:
        topics = self._topics.get(session)
        if topics is None or (topic, user_id) not in topics:
            return
        self._topics[session] = topics - {(topic, user_id)}
        self._hub.leave(session, room_names.topic_room(topic, user_id))
        await self._unregister(topic, user_id)

    def topics(self, session: Session) -> Collection[tuple[str, int]]:
        """The (topic, user id) pairs that a session subscribes."""
        return tuple(self._topics.get(session, ()))

    def subscribers(self, topic: str | None = None) -> Collection[tuple[Session, str]]:
        """(session, topic) for each session that subscribes the topic; None: for all topics."""
        return [
            (session, name)
            for session, topics in self._topics.items()
            for name in {name for name, _ in topics}
            if topic is None or name == topic
        ]

    def run_later(self, job: Callable[[], Awaitable[object]]) -> None:
        """Runs a job in the background; jobs run one after the other, in the order of the calls."""
        self._jobs.put_nowait(job)

    async def _unregister(self, topic: str, user_id: int) -> None:
        try:
            await self._topic_registry.remove_subscribers(topic, user_id)
        except StoreUnavailable as error:
            self._outage.failed(error)

    async def _run_jobs(self) -> None:
        defects = OutageLog(log, "membership_job_failed", known=())
        while True:
            job = await self._jobs.get()
            try:
                await job()
                defects.succeeded()
            except Exception as error:
                defects.failed(error)

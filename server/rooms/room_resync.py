"""Puts sessions into the rooms that they were ordered into while this node could not hear the order."""

from __future__ import annotations

import asyncio

import structlog

from realtime.engine.hub import Hub
from realtime.engine.session.session import Session
from realtime.process.background_tasks import end_task
from realtime.pubsub import rooms
from realtime.pubsub.fanout import Fanout
from server.rooms.room_reader import RoomReader
from sql.errors import Retry, Unavailable

PAUSE_AFTER_FAILURE_S = 0.5
TOGETHER = 250
"""So many sessions are brought in at a time: one read for all of them."""

log = structlog.get_logger(__name__)


class RoomResync:
    """Reads again which rooms a person belongs to once that person's own room was interrupted."""

    def __init__(self, hub: Hub, room_reader: RoomReader) -> None:
        self._hub = hub
        self._room_reader = room_reader
        self._waiting: dict[Session, None] = {}
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def missed(self, user_id: int) -> None:
        """Orders to this person's sessions may have been missed until now; none are from here on."""
        for namespace in self._room_reader.namespaces:
            self._waiting.update(dict.fromkeys(self._hub.members(namespace, rooms.person_room(user_id))))
        self._arrived.set()

    def start(self, fanout: Fanout) -> None:
        self._task = asyncio.create_task(self._run(fanout), name="room_resync")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self, fanout: Fanout) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            while self._waiting:
                members = list(self._waiting)[:TOGETHER]
                for member in members:
                    del self._waiting[member]
                done = await asyncio.gather(*(self._reenter(member, fanout) for member in members))
                if not all(done):
                    await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    async def _reenter(self, member: Session, fanout: Fanout) -> bool:
        """False when it has to be tried again."""
        identity = member.connection.identity
        if identity is None or not member.rooms:  # gone meanwhile
            return True
        try:
            for room in await self._room_reader.rooms_of(member.namespace, identity.user_id):
                await fanout.join_with_resync(member, room)
        except (Unavailable, Retry):  # the reader tells of it
            self._waiting[member] = None
            return False
        except Exception:
            log.exception("reentry_failed", namespace=member.namespace)
        return True

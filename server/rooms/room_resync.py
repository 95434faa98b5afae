"""Puts sessions into the rooms that they were ordered to enter while this node did not receive the order."""

from __future__ import annotations

import asyncio

import structlog

from realtime.engine.session.session import Session
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.room_names import RESYNC_ALL
from server.rooms.room_reader import RoomReader
from server.rooms.room_resync_queue import RoomResyncQueue
from sql.errors import Retry, Unavailable

PAUSE_AFTER_FAILURE_S = 0.5
SESSIONS_PER_BATCH = 250
"""The sessions of a batch share one read."""

log = structlog.get_logger(__name__)


class RoomResync:
    """Reads the rooms of the queued sessions again; a session that enters a room late gets a `resync` of everything."""

    def __init__(self, queue: RoomResyncQueue, room_reader: RoomReader, fanout: Fanout) -> None:
        self._queue = queue
        self._room_reader = room_reader
        self._fanout = fanout
        self._defects = OutageLog(log, "room_resync_failed", known=())
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="room_resync")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        while True:
            sessions = await self._queue.next_batch(SESSIONS_PER_BATCH)
            done = await asyncio.gather(*(self._enter_rooms(session) for session in sessions))
            if not all(done):
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    async def _enter_rooms(self, session: Session) -> bool:
        """Returns False when the session was put back into the queue."""
        identity = session.connection.identity
        if identity is None or not session.rooms:  # it has ended in the meantime
            return True
        try:
            for room in await self._room_reader.rooms_of(session.namespace, identity.user_id):
                await self._fanout.join_with_resync(session, room, RESYNC_ALL)
        except (Unavailable, Retry):  # logged by the reader
            self._queue.put_back(session)
            return False
        except Exception as error:
            self._defects.failed(error, namespace=session.namespace)
        else:
            self._defects.succeeded()
        return True

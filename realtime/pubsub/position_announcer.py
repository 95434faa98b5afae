"""Announces the last position of a room some seconds after a numbered push, so that a client that lost it finds out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from realtime.contract.emissions import Emission, ToRoom, emission
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog

ANNOUNCE_EVERY_S = 5.0
MAX_ROOMS = 100_000
"""Above this the room that has waited longest is not announced."""

log = structlog.get_logger(__name__)


class PositionAnnouncer:
    """Publishes the largest number of each room at most `every_s` after a numbered push from this node.

    A room with several such pushes gets one announcement for all of them.
    """

    def __init__(
        self, publish: Callable[[Sequence[Emission]], Awaitable[None]], *, every_s: float = ANNOUNCE_EVERY_S
    ) -> None:
        self._publish = publish
        self._every_s = every_s
        self._due: dict[tuple[str, str], tuple[int, Emission]] = {}
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="position-announcer")

    async def stop(self) -> None:
        """Publishes the announcements that are still due."""
        if self._task is not None:
            await end_task(self._task)
            await self._announce()

    def record(self, published: Emission) -> None:
        """Schedules the announcement of a push that declares one and goes to a room; ignores all others."""
        announcement = published.push.position
        if announcement is None or not isinstance(published.to, ToRoom):
            return
        key = (published.to.room, announcement.push.name)
        number = announcement.number_of(published.data)
        known = self._due.get(key)
        if known is None or known[0] < number:
            if known is None and len(self._due) >= MAX_ROOMS:
                del self._due[next(iter(self._due))]
            data = announcement.data_of(published.data)
            self._due[key] = (number, emission(announcement.push, data, published.to))

    async def _run(self) -> None:
        defects = OutageLog(log, "positions_not_told", known=())
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self._announce()
                defects.succeeded()
            except Exception as error:
                defects.failed(error)

    async def _announce(self) -> None:
        due, self._due = self._due, {}
        if due:
            await self._publish([announcement for _, announcement in due.values()])

"""Deletes what is kept only to tell clients that something is gone, once no client may ask for it any more."""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

import structlog

from handlers.ports import Clock
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from server.monitoring.metrics import Metrics
from sql.errors import Retry, Unavailable
from sql.unit import Units

SWEEP_EVERY_S = 600.0
BATCH = 5_000
TOMBSTONES_KEPT: Final = datetime.timedelta(days=31)
"""A day longer than a position of a client is good for."""

log = structlog.get_logger(__name__)


class TombstoneSweeper:
    """Deletes deleted posts with what belongs to them, removed bookmarks, and notes of changed relations.

    It does so in small transactions.

    Any number of processes may sweep at the same time: rows that another one has locked are skipped.
    """

    def __init__(self, units: Units, clock: Clock, metrics: Metrics, *, every_s: float = SWEEP_EVERY_S) -> None:
        self._units = units
        self._clock = clock
        self._metrics = metrics
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="tombstone-sweeper")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        outage = OutageLog(log, "tombstone_sweep_waits", known=(Unavailable, Retry))
        while True:
            try:
                while await self._sweep_posts():
                    pass
                while await self._sweep_relation_changes() == BATCH:
                    pass
                while await self._sweep_bookmarks() == BATCH:
                    pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(self._every_s)

    async def _sweep_posts(self) -> int:
        async with self._units.write() as db:
            rows = await db.posts.delete_old_posts(deleted_before=self._kept_from(), row_limit=BATCH)
        self._metrics.count("tombstone_rows_deleted", rows)
        return rows

    async def _sweep_relation_changes(self) -> int:
        async with self._units.write() as db:
            rows = await db.graph.delete_old_relation_changes(changed_before=self._kept_from(), batch_size=BATCH)
        self._metrics.count("tombstone_rows_deleted", rows)
        return rows

    async def _sweep_bookmarks(self) -> int:
        async with self._units.write() as db:
            rows = await db.bookmarks.delete_old_bookmarks(removed_before=self._kept_from(), batch_size=BATCH)
        self._metrics.count("tombstone_rows_deleted", rows)
        return rows

    def _kept_from(self) -> datetime.datetime:
        return self._clock.now() - TOMBSTONES_KEPT

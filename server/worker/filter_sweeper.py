"""Ends words that hide when their time has come, as a change that clients are told of."""

from __future__ import annotations

import asyncio

import structlog

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from sql.errors import Retry, Unavailable
from sql.unit import Units

SWEEP_EVERY_S = 5.0
BATCH = 500

log = structlog.get_logger(__name__)


class FilterSweeper:
    """Any number of processes may sweep at the same time: rows that another one has locked are skipped."""

    def __init__(self, units: Units, *, every_s: float = SWEEP_EVERY_S) -> None:
        self._units = units
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="filter-sweeper")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        outage = OutageLog(log, "filter_sweep_waits", known=(Unavailable, Retry))
        while True:
            try:
                while await self._sweep():
                    pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(self._every_s)

    async def _sweep(self) -> int:
        async with self._units.write() as db:
            return await db.filters.end_filters(batch_size=BATCH)

"""Ends what has an end by the clock, as a change that clients and consumers are told of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from sql.database import Database
from sql.errors import Retry, Unavailable
from sql.unit import Units

SWEEP_EVERY_S = 1.0
BATCH = 500

log = structlog.get_logger(__name__)

Ending = Callable[[Database, int], Awaitable[int]]
"""Ends at most so many things of one kind whose time is over, each with its Fact; answers how many."""


async def end_mutes(db: Database, batch_size: int) -> int:
    return await db.graph.end_mutes(batch_size=batch_size)


async def end_polls(db: Database, batch_size: int) -> int:
    return await db.polls.close_polls(batch_size=batch_size)


ENDINGS: Final[tuple[Ending, ...]] = (end_mutes, end_polls)


class EndSweeper:
    """Ends things in small transactions, soon after their time.

    Any number of processes may sweep at the same time: each thing ends once. What reads such things compares the time
    too, so that a late sweep, or none, shows nothing for too long.
    """

    def __init__(self, units: Units, on_facts: Callable[[], None], *, every_s: float = SWEEP_EVERY_S) -> None:
        self._units = units
        self._on_facts = on_facts
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="end-sweeper")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        outage = OutageLog(log, "end_sweep_waits", known=(Unavailable, Retry))
        while True:
            try:
                for ending in ENDINGS:
                    while await self._sweep(ending) == BATCH:
                        pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(self._every_s)

    async def _sweep(self, ending: Ending) -> int:
        async with self._units.write() as db:
            ended = await ending(db, BATCH)
        if ended:
            self._on_facts()
        return ended

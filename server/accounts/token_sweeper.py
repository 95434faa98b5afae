"""Deletes expired refresh tokens and unused networks of users, so that their tables do not grow for ever."""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

import structlog

from handlers.ports import Clock
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from sql.errors import Retry, Unavailable
from sql.unit import Units

SWEEP_EVERY_S = 600.0
BATCH = 10_000
NETWORKS_KEPT: Final = datetime.timedelta(days=180)

log = structlog.get_logger(__name__)


class TokenSweeper:
    """Any number of processes may sweep at the same time: rows that another one has locked are skipped."""

    def __init__(self, units: Units, clock: Clock, *, every_s: float = SWEEP_EVERY_S) -> None:
        self._units = units
        self._clock = clock
        self._every_s = every_s
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="token-sweeper")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        outage = OutageLog(log, "token_sweep_waits", known=(Unavailable, Retry))
        while True:
            try:
                while await self._sweep_tokens() == BATCH:
                    pass
                while await self._sweep_networks() == BATCH:
                    pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(self._every_s)

    async def _sweep_tokens(self) -> int:
        async with self._units.write() as db:
            return await db.accounts.delete_expired_tokens(expired_before=self._clock.now(), batch_size=BATCH)

    async def _sweep_networks(self) -> int:
        async with self._units.write() as db:
            return await db.accounts.delete_unused_networks(
                unused_since=self._clock.now() - NETWORKS_KEPT, batch_size=BATCH
            )

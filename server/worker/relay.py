"""Sends Facts from the outbox to the streams, and sends those again that were not confirmed in time."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from realtime.redis.client import StoreUnavailable
from realtime.redis.fact_streams import FactStreams
from sql.errors import Retry, Unavailable
from sql.unit import Units

BATCH = 500
IDLE_POLL_S = 0.5
"""The longest delay of a Fact whose process died between its commit and `wake`."""
PAUSE_AFTER_FAILURE_S = 0.5

log = structlog.get_logger(__name__)


class Relay:
    """Sends committed Facts in the order of their ids, at least once each; any number of relays may run."""

    def __init__(
        self,
        units: Units,
        streams: FactStreams,
        *,
        resend_after_s: float,
    ) -> None:
        self._units = units
        self._streams = streams
        self._resend_after_s = resend_after_s
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="relay")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    def wake(self) -> None:
        """Looks for Facts at once: a transaction with Facts was committed in this process."""
        self._woken.set()

    async def _run(self) -> None:
        outage = OutageLog(log, "relay_waits", known=(Unavailable, Retry, StoreUnavailable))
        while True:
            self._woken.clear()
            try:
                while await self._send_batch() == BATCH:
                    pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), IDLE_POLL_S)

    async def _send_batch(self) -> int:
        """Sends one batch. After a crash between sending and committing, the batch is sent again, never lost."""
        async with self._units.write() as db:
            rows = await db.facts.take_unsent(resend_after_s=self._resend_after_s, batch_size=BATCH)
            if rows:
                await self._streams.publish([(row.fact, row.id, row.payload.encode()) for row in rows])
        return len(rows)

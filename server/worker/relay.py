"""Carries Facts from the outbox to the streams. The outbox is the truth: what is not confirmed goes out again."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from realtime.process.background_tasks import end_task
from realtime.process.outage import Outage
from realtime.redis.client import StoreUnavailable
from realtime.redis.fact_streams import FactStreams
from sql.errors import Retry, Unavailable
from sql.unit import Units

BATCH = 500
IDLE_POLL_S = 0.5
"""How late a Fact may be whose committer died before it could wake the relay."""
PAUSE_AFTER_FAILURE_S = 0.5

log = structlog.get_logger(__name__)


class Relay:
    """Sends Facts in the order of their ids as far as they are committed; at least once, by any number of relays."""

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
        """Says that a transaction with Facts was committed here."""
        self._woken.set()

    async def _run(self) -> None:
        outage = Outage(log, "relay_waits")
        while True:
            self._woken.clear()
            try:
                while await self._carry() == BATCH:
                    pass
                outage.is_over()
            except (Unavailable, Retry, StoreUnavailable) as error:
                outage.goes_on(error)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
                continue
            except Exception:
                log.exception("relay_failed")
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), IDLE_POLL_S)

    async def _carry(self) -> int:
        """Sends one batch. Sent and then not committed as sent (a crash in between) means sent twice, never lost."""
        async with self._units.write() as db:
            rows = await db.facts.take_unsent(resend_after_s=self._resend_after_s, batch_size=BATCH)
            if rows:
                await self._streams.publish([(row.fact, row.id, row.payload.encode()) for row in rows])
        return len(rows)

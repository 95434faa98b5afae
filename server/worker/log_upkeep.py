"""Keeps the log of Facts in shape: partitions to come, old ones, and how far each consumer is behind."""

from __future__ import annotations

import asyncio
import time

import structlog

from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from server.monitoring.metrics import Metrics
from sql.errors import Retry, Unavailable
from sql.unit import Units

DAYS_AHEAD = 14
PARTITIONS_EVERY_S = 3_600.0
PARTITIONS_AGAIN_S = 60.0
"""After a failure."""
MEASURE_EVERY_S = 5.0
COUNT_LIMIT = 10_000
HELD_TOO_LONG_S = 5.0

log = structlog.get_logger(__name__)


class _HeldTooLong(Exception):
    """An open transaction, in any database of the cluster, keeps the consumers from reading the newest Facts."""


class LogUpkeep:
    """Makes partitions and drops old ones every hour; every five seconds it measures what waits and notes the epoch."""

    def __init__(self, units: Units, metrics: Metrics, *, keep_days: int) -> None:
        self._units = units
        self._keep_days = keep_days
        self._lag = metrics.settable_gauge(
            "rookery_consumer_lag_facts", "Facts that wait for a consumer, up to 10,000 a lane.", "consumer"
        )
        self._age = metrics.settable_gauge(
            "rookery_consumer_lag_seconds", "Age of the oldest Fact that waits for a consumer.", "consumer"
        )
        self._parked = metrics.settable_gauge(
            "rookery_consumer_parked_facts", "Facts that a consumer has given up on.", "consumer"
        )
        self._held = metrics.settable_gauge(
            "rookery_facts_held_seconds", "Age of the oldest Fact that waits for an open transaction elsewhere."
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="facts-upkeep")

    async def stop(self) -> None:
        await end_task(self._task)
        self._task = None

    async def _run(self) -> None:
        outage = OutageLog(log, "facts_upkeep_waits", known=(Unavailable, Retry))
        partitions = OutageLog(log, "fact_days_wait", known=(Unavailable, Retry))
        held = OutageLog(log, "facts_held")
        partitions_at_s = 0.0
        while True:
            if time.monotonic() >= partitions_at_s:
                # Its locks may stop writers for a moment, so what fails is not tried at each turn.
                pause_s = PARTITIONS_AGAIN_S
                try:
                    await self._keep_partitions()
                    pause_s = PARTITIONS_EVERY_S
                    partitions.succeeded()
                except Exception as error:
                    partitions.failed(error)
                partitions_at_s = time.monotonic() + pause_s
            try:
                # A pooler's clients reach a promoted database without a new connection of their own.
                await self._units.single_writes.sessions.note_epoch()
                await self._measure(held)
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(MEASURE_EVERY_S)

    async def _keep_partitions(self) -> None:
        await self._units.single_writes.facts.attach_days(days_ahead=DAYS_AHEAD)
        await self._units.single_writes.facts.drop_days(keep_days=self._keep_days)

    async def _measure(self, held: OutageLog) -> None:
        for row in await self._units.reads.facts.read_lags(count_limit=COUNT_LIMIT):
            self._lag.labels(row.consumer).set(row.fact_count)
            self._age.labels(row.consumer).set(row.age_s)
            self._parked.labels(row.consumer).set(row.parked_count)
        held_s = await self._units.reads.facts.read_held()
        self._held.set(held_s)
        if held_s > HELD_TOO_LONG_S:
            held.failed(_HeldTooLong(f"Facts wait since {held_s:.0f} s for an open transaction"))
        else:
            held.succeeded()

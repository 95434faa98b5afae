"""Shares the lanes of the log of Facts among the running workers."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence

import structlog

from handlers.feature import Consumer
from realtime.process.background_tasks import end_task
from realtime.process.outage_log import OutageLog
from server.worker.lanes import LogPosition
from server.worker.wake_up import WakeUp
from sql.errors import DatabaseError, Retry, Unavailable
from sql.unit import Units

CLAIMS_WITHIN_LEASE = 5
PAUSE_AFTER_FAILURE_S = 0.5

log = structlog.get_logger(__name__)


class LaneLeases:
    """The lanes that this process reads. Leases avoid double work; the checkpoints are what excludes it.

    Every worker takes its share of each consumer's lanes. The lanes of one that stops are claimed by others at once,
    those of one that is killed or hangs after `lease_s`.
    """

    def __init__(
        self, units: Units, wake_up: WakeUp, consumers: Sequence[Consumer], *, worker_id: str, lease_s: float
    ) -> None:
        self._units = units
        self._wake_up = wake_up
        self._consumers = tuple(consumers)
        self._worker_id = worker_id
        self._lease_s = lease_s
        self._lanes: dict[str, dict[int, LogPosition]] = {}
        self._valid_until_s = float("-inf")
        self._lanes_are_free = asyncio.Event()
        wake_up.on_free_lanes(self._lanes_are_free)
        self._changed: list[asyncio.Event] = []
        self._task: asyncio.Task[None] | None = None

    def lanes_of(self, consumer: str) -> Mapping[int, LogPosition]:
        """The lanes that this process reads for the consumer, with their checkpoints when the lease was extended last.

        None where the leases could not be extended in time.
        """
        return self._lanes.get(consumer, {}) if time.monotonic() < self._valid_until_s else {}

    def on_change(self, event: asyncio.Event) -> None:
        """Sets the event each time that this process has got or lost lanes."""
        self._changed.append(event)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="lane-leases")

    async def stop(self) -> None:
        """Gives up all lanes; while PostgreSQL is away they are left to expire."""
        await end_task(self._task)
        self._task = None
        self._lanes = {}
        with contextlib.suppress(DatabaseError):
            await self._units.single_writes.facts.release_lanes(worker=self._worker_id)
        self._wake_up.lanes_given_up()

    async def _run(self) -> None:
        outage = OutageLog(log, "leases_wait", known=(Unavailable, Retry))
        is_introduced = False
        while True:
            self._lanes_are_free.clear()
            pause_s = self._lease_s / CLAIMS_WITHIN_LEASE
            try:
                if not is_introduced:
                    await self._introduce()
                    is_introduced = True
                await self._claim()
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
                pause_s = min(pause_s, PAUSE_AFTER_FAILURE_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._lanes_are_free.wait(), pause_s)

    async def _introduce(self) -> None:
        for consumer in self._consumers:
            await self._units.single_writes.facts.introduce_consumer(
                consumer=consumer.name,
                fact_names=sorted({handler.fact.name for handler in consumer.handlers}),
                from_now=consumer.from_now,
            )

    async def _claim(self) -> None:
        asked_at_s = time.monotonic()
        rows = await self._units.single_writes.facts.claim_lanes(
            worker=self._worker_id, consumers=[consumer.name for consumer in self._consumers], lease_s=self._lease_s
        )
        lanes: dict[str, dict[int, LogPosition]] = defaultdict(dict)
        for row in rows:
            lanes[row.consumer][row.lane] = LogPosition(row.position, row.fact_id)
        before, self._lanes = self._lanes, dict(lanes)
        self._valid_until_s = asked_at_s + self._lease_s
        if self._lanes != before:
            for event in self._changed:
                event.set()
        if any(had.keys() - self._lanes.get(name, {}).keys() for name, had in before.items()):
            self._wake_up.lanes_given_up()

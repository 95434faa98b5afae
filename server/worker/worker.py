"""Runs the consumers of Facts, each in a loop of its own, so that a failing consumer delays no other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from handlers.feature import Consumer
from realtime.process.outage_log import OutageLog
from realtime.redis.client import StoreUnavailable
from realtime.redis.fact_streams import Entry, FactStreams
from server.monitoring.metrics import Metrics
from server.pipeline.dispatch import Dispatcher
from server.pipeline.registry import Registry
from sql.errors import DatabaseError, Retry, Unavailable
from sql.unit import Units

BATCH = 32
BLOCK_MS = 2_000
RECLAIMS_WITHIN_IDLE = 2
"""How often a consumer reclaims entries of dead workers, within the idle time after which an entry may be reclaimed."""
RETIRED_AFTER_MS = 60_000
"""A worker that was idle for so long is removed from its group: a process that starts again has a new name."""
SWEEP_EVERY_S = 5.0
SWEEP_BATCH = 5_000
TRIES_BEFORE_PARKING = 5
PAUSE_AFTER_FAILURE_S = 0.5
FINISH_WITHIN_S = 0.5
"""How long a worker that stops waits for its running reactions."""

AWAY = (Unavailable, Retry, StoreUnavailable)
"""Errors that say nothing about a consumer or a Fact."""

log = structlog.get_logger(__name__)


class Worker:
    """All consumers of this process. Any number of processes share the work: each Fact goes to one of them.

    At most `concurrency` reactions run at a time, over all consumers: each holds a connection to PostgreSQL, and the
    commands of this process need connections too.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        registry: Registry,
        streams: FactStreams,
        units: Units,
        metrics: Metrics,
        worker_id: str,
        concurrency: int,
        reclaim_idle_ms: int,
    ) -> None:
        self._dispatcher = dispatcher
        self._registry = registry
        self._streams = streams
        self._units = units
        self._metrics = metrics
        self._worker_id = worker_id
        self._reclaim_idle_ms = reclaim_idle_ms
        self._reclaim_every_s = reclaim_idle_ms / 1000 / RECLAIMS_WITHIN_IDLE
        self._slots = asyncio.Semaphore(concurrency)
        self._tasks: list[asyncio.Task[None]] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._outages = {
            consumer.name: OutageLog(log, "reactions_wait", known=AWAY, consumer=consumer.name)
            for consumer in registry.consumers
        }
        self._lag = metrics.settable_gauge("rookery_consumer_lag", "Facts that wait for a consumer.", "consumer")

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._consume(consumer), name=f"consumer-{consumer.name}")
            for consumer in self._registry.consumers
        ]
        self._tasks.append(asyncio.create_task(self._sweep(), name="outbox-sweeper"))

    async def stop(self) -> None:
        """Reads nothing new, and lets running reactions commit and publish.

        One that takes longer than FINISH_WITHIN_S is rolled back as a whole, and its Fact is delivered again.
        """
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        batches = tuple(self._batches)
        if batches:
            await asyncio.wait(batches, timeout=FINISH_WITHIN_S)
        for batch in batches:
            batch.cancel()
        await asyncio.gather(*batches, return_exceptions=True)

    async def _consume(self, consumer: Consumer) -> None:
        names = [handler.fact.name for handler in consumer.handlers]
        loop = asyncio.get_running_loop()
        outage = OutageLog(log, "consumer_waits", known=AWAY, consumer=consumer.name)
        reclaim_at_s = loop.time() + self._reclaim_every_s
        while True:
            try:
                if loop.time() >= reclaim_at_s:
                    reclaim_at_s = loop.time() + self._reclaim_every_s
                    entries: Sequence[Entry] = await self._streams.reclaim(
                        consumer.name, self._worker_id, names, min_idle_ms=self._reclaim_idle_ms, count=BATCH
                    )
                    await self._streams.retire(consumer.name, names, min_idle_ms=RETIRED_AFTER_MS)
                    self._lag.labels(consumer.name).set(await self._streams.lag(consumer.name, names))
                else:
                    until_reclaim_ms = max(1, round((reclaim_at_s - loop.time()) * 1000))
                    entries = await self._streams.read(
                        consumer.name, self._worker_id, names, count=BATCH, block_ms=min(BLOCK_MS, until_reclaim_ms)
                    )
                outage.succeeded()
                batch = asyncio.create_task(self._settle(consumer, entries), name=f"batch-{consumer.name}")
                self._batches.add(batch)
                batch.add_done_callback(self._batches.discard)
                # A reaction must not be cancelled between its commit and its pushes, which would then be lost.
                await asyncio.shield(batch)
            except Exception as error:
                outage.failed(error)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    async def _settle(self, consumer: Consumer, entries: Sequence[Entry]) -> None:
        results = await asyncio.gather(*(self._handle(consumer, entry) for entry in entries))
        settled = [entry for entry, is_settled in zip(entries, results, strict=True) if is_settled]
        if settled:
            await self._streams.ack(consumer.name, settled)

    async def _handle(self, consumer: Consumer, entry: Entry) -> bool:
        """Returns whether the entry can be acknowledged: done now, done before, or parked with its error."""
        try:
            async with self._slots:
                is_new = await self._dispatcher.react(
                    consumer, entry.fact_id, entry.stream, entry.body, may_be_unpublished=entry.deliveries > 1
                )
        except AWAY as error:
            self._outages[consumer.name].failed(error)
            self._metrics.reaction(consumer.name, "waits")
            await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
            return False
        except Exception as error:
            return await self._fail(consumer, entry, error)
        self._outages[consumer.name].succeeded()
        self._metrics.reaction(consumer.name, "done" if is_new else "repeat")
        return True

    async def _fail(self, consumer: Consumer, entry: Entry, error: Exception) -> bool:
        self._outages[consumer.name].failed(error, fact_id=entry.fact_id)
        if entry.deliveries < TRIES_BEFORE_PARKING:
            self._metrics.reaction(consumer.name, "failed")
            return False
        # PostgreSQL stores neither NUL nor lone surrogates; an error message may quote both.
        message = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode().replace("\0", "\\0")
        try:
            async with self._slots, self._units.write() as db:
                await db.facts.park(fact_id=entry.fact_id, consumer=consumer.name, error=message)
        except DatabaseError as unparked:
            log.warning("parking_waits", consumer=consumer.name, fact_id=entry.fact_id, error=str(unparked))
            return False
        log.error("reaction_parked", consumer=consumer.name, fact_id=entry.fact_id, error=message)
        self._metrics.reaction(consumer.name, "parked")
        return True

    async def _sweep(self) -> None:
        """Deletes the outbox rows that every registered consumer has confirmed."""
        outage = OutageLog(log, "sweep_waits", known=AWAY)
        while True:
            try:
                while await self._sweep_batch() == SWEEP_BATCH:
                    pass
                outage.succeeded()
            except Exception as error:
                outage.failed(error)
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _sweep_batch(self) -> int:
        expected = self._registry.consumers_by_fact()
        async with self._units.write() as db:
            return await db.facts.sweep_confirmed(
                facts=list(expected),
                consumer_counts=[len(names) for names in expected.values()],
                batch_size=SWEEP_BATCH,
            )

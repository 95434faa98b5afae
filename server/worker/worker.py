"""Lets the consumers react to Facts. One loop per consumer, so that a failing one delays nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog

from handlers.feature import Consumer
from realtime.process.outage import Outage
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
"""How often it looks for what others have left, within the time after which that is taken for left."""
RETIRED_AFTER_MS = 60_000
"""A worker that has not asked for so long is gone for good: each start of a process brings a new name."""
SWEEP_EVERY_S = 5.0
SWEEP_BATCH = 5_000
TRIES_BEFORE_PARKING = 5
PAUSE_AFTER_FAILURE_S = 0.5
FINISH_WITHIN_S = 0.5
"""How long a worker that stops waits for what it has begun."""

log = structlog.get_logger(__name__)


class Worker:
    """All consumers of this process. Any number of processes share the work: each Fact goes to one of them.

    At most `concurrency` reactions are under way at a time, over all consumers: each holds a connection to PostgreSQL,
    and those who serve clients in this process need some too.
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
        self._places = asyncio.Semaphore(concurrency)
        self._tasks: list[asyncio.Task[None]] = []
        self._batches: set[asyncio.Task[None]] = set()
        self._outages = {
            consumer.name: Outage(log, "reactions_wait", consumer=consumer.name) for consumer in registry.consumers
        }
        self._lag = metrics.settable_gauge("rookery_consumer_lag", "Facts that wait for a consumer.", "consumer")

    def start(self) -> None:
        self._tasks = [
            asyncio.create_task(self._consume(consumer), name=f"consumer-{consumer.name}")
            for consumer in self._registry.consumers
        ]
        self._tasks.append(asyncio.create_task(self._sweep(), name="outbox-sweeper"))

    async def stop(self) -> None:
        """Takes on nothing new and lets what is under way be done and told; what takes longer is rolled back as a whole
        and delivered again.
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
        outage = Outage(log, "consumer_waits", consumer=consumer.name)
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
                    left_ms = max(1, round((reclaim_at_s - loop.time()) * 1000))
                    entries = await self._streams.read(
                        consumer.name, self._worker_id, names, count=BATCH, block_ms=min(BLOCK_MS, left_ms)
                    )
                outage.is_over()
                batch = asyncio.create_task(self._settle(consumer, entries), name=f"batch-{consumer.name}")
                self._batches.add(batch)
                batch.add_done_callback(self._batches.discard)
                # Between its commit and its pushes a reaction must not be cut off: nobody would repeat the pushes.
                await asyncio.shield(batch)
            except StoreUnavailable as error:
                outage.goes_on(error)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
            except Exception:
                log.exception("consumer_failed", consumer=consumer.name)
                await asyncio.sleep(PAUSE_AFTER_FAILURE_S)

    async def _settle(self, consumer: Consumer, entries: Sequence[Entry]) -> None:
        done = await asyncio.gather(*(self._handle(consumer, entry) for entry in entries))
        settled = [entry for entry, is_done in zip(entries, done, strict=True) if is_done]
        if settled:
            await self._streams.ack(consumer.name, settled)

    async def _handle(self, consumer: Consumer, entry: Entry) -> bool:
        """Whether the entry is settled: done now, done before, or parked with its error for somebody to look at."""
        try:
            async with self._places:
                is_new = await self._dispatcher.react(
                    consumer, entry.fact_id, entry.stream, entry.body, may_be_untold=entry.deliveries > 1
                )
        except (Unavailable, Retry, StoreUnavailable) as error:
            self._outages[consumer.name].goes_on(error)
            self._metrics.reaction(consumer.name, "waits")
            await asyncio.sleep(PAUSE_AFTER_FAILURE_S)
            return False
        except Exception as error:
            return await self._fail(consumer, entry, error)
        self._outages[consumer.name].is_over()
        self._metrics.reaction(consumer.name, "done" if is_new else "repeat")
        return True

    async def _fail(self, consumer: Consumer, entry: Entry, error: Exception) -> bool:
        log.exception("reaction_failed", consumer=consumer.name, fact_id=entry.fact_id, tries=entry.deliveries)
        if entry.deliveries < TRIES_BEFORE_PARKING:
            self._metrics.reaction(consumer.name, "failed")
            return False
        # PostgreSQL takes neither NUL nor lone surrogates, and an error may quote anything.
        told = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode().replace("\0", "\\0")
        try:
            async with self._places, self._units.write() as db:
                await db.facts.park(fact_id=entry.fact_id, consumer=consumer.name, error=told)
        except DatabaseError as unparked:
            log.warning("parking_waits", consumer=consumer.name, fact_id=entry.fact_id, error=str(unparked))
            return False
        self._metrics.reaction(consumer.name, "parked")
        return True

    async def _sweep(self) -> None:
        """Removes the outbox rows that every registered consumer has confirmed."""
        outage = Outage(log, "sweep_waits")
        while True:
            try:
                while await self._sweep_batch() == SWEEP_BATCH:
                    pass
                outage.is_over()
            except (Unavailable, Retry) as error:
                outage.goes_on(error)
            except Exception:
                log.exception("sweep_failed")
            await asyncio.sleep(SWEEP_EVERY_S)

    async def _sweep_batch(self) -> int:
        expected = self._registry.consumers_by_fact()
        async with self._units.write() as db:
            return await db.facts.sweep_confirmed(
                facts=list(expected),
                consumer_counts=[len(names) for names in expected.values()],
                batch_size=SWEEP_BATCH,
            )

"""Runs the consumers of Facts."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from handlers.feature import Consumer
from server.monitoring.metrics import Metrics
from server.pipeline.reactions import Reactions
from server.worker.batches import BatchRunner
from server.worker.consumer_loop import ConsumerLoop
from server.worker.lane_leases import LaneLeases
from server.worker.lanes import Lane
from server.worker.log_upkeep import LogUpkeep
from server.worker.wake_up import WakeUp
from sql.unit import Units

FINISH_WITHIN_S = 0.5
"""How long a worker that stops waits for its running reactions."""


class Worker:
    """All consumers of this process. Any number of processes share the work: each lane is read by one of them."""

    def __init__(
        self,
        *,
        consumers: Sequence[Consumer],
        reactions: Reactions,
        units: Units,
        wake_up: WakeUp,
        metrics: Metrics,
        worker_id: str,
        lease_s: float,
        keep_days: int,
    ) -> None:
        self._leases = LaneLeases(units, wake_up, consumers, worker_id=worker_id, lease_s=lease_s)
        self._upkeep = LogUpkeep(units, metrics, keep_days=keep_days)
        self._loops = [
            ConsumerLoop(
                consumer,
                units,
                self._leases,
                wake_up,
                BatchRunner(consumer, reactions, units, metrics, may_go_on=partial(self._holds, consumer.name)),
            )
            for consumer in consumers
        ]
        self._consumers = tuple(consumers)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._upkeep.start()
        self._leases.start()
        self._tasks = [
            asyncio.create_task(loop.run(), name=f"consumer-{consumer.name}")
            for consumer, loop in zip(self._consumers, self._loops, strict=True)
        ]

    async def stop(self) -> None:
        """Reads nothing new, lets running reactions commit and publish, and leaves the lanes to other workers.

        A reaction that takes longer than FINISH_WITHIN_S is rolled back as a whole, and its Facts are read again.
        """
        for loop in self._loops:
            loop.ask_to_stop()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=FINISH_WITHIN_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._upkeep.stop()
        await self._leases.stop()

    def _holds(self, consumer: str, lane: Lane) -> bool:
        return lane.number in self._leases.lanes_of(consumer)

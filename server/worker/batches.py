"""Brings batches of Facts to a consumer; finds the one that fails, and parks it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from handlers.feature import Consumer
from realtime.redis.client import StoreUnavailable
from server.monitoring.metrics import Metrics
from server.pipeline.reactions import Reactions, StoredFact
from server.worker.lanes import Lane, LaneFact, LanesMoved, LogPosition, move_checkpoints, note_moved
from sql.database import Database
from sql.errors import Retry, Unavailable
from sql.unit import Units

TRIES_BEFORE_PARKING = 5
FIRST_PAUSE_S = 0.05
"""Between the first two tries of a Fact that fails; each further pause is twice as long."""

AWAY = (Unavailable, Retry, StoreUnavailable)
"""Errors that say nothing about a consumer or a Fact."""

log = structlog.get_logger(__name__)


class BatchRunner:
    """Runs the batches of one consumer. What is away is waited for by the caller; no other failure gets out."""

    def __init__(
        self,
        consumer: Consumer,
        reactions: Reactions,
        units: Units,
        metrics: Metrics,
        *,
        may_go_on: Callable[[Lane], bool],
    ) -> None:
        self._consumer = consumer
        self._reactions = reactions
        self._units = units
        self._metrics = metrics
        self._may_go_on = may_go_on

    async def run(self, batch: Sequence[LaneFact]) -> None:
        """Deals with all Facts of the batch, and moves the checkpoints of their lanes.

        A batch that fails is halved until the Fact that fails stands alone; this is parked after its tries. Raises one
        of AWAY, with the Facts up to some place dealt with, and LanesMoved.
        """
        if not all(self._may_go_on(lane) for lane in {item.lane.number: item.lane for item in batch}.values()):
            raise LanesMoved
        try:
            await self._run_once(batch)
        except (*AWAY, LanesMoved):
            raise
        except Exception as error:
            if len(batch) == 1:
                await self._try_again(batch[0], error)
            else:
                middle = len(batch) // 2
                await self.run(batch[:middle])
                await self.run(batch[middle:])

    async def replay(self, fact: StoredFact) -> None:
        """Tries a parked Fact again; it stays parked when it fails."""

        async def unpark(db: Database) -> None:
            if not await db.facts.unpark(consumer=self._consumer.name, fact_id=fact.id):
                raise LanesMoved

        try:
            await self._reactions.run(self._consumer, [fact], unpark)
        except (*AWAY, LanesMoved):
            raise
        except Exception as error:
            async with self._units.write() as db:
                await self._park(db, fact, error)
        else:
            self._metrics.reaction(self._consumer.name, "done", 1)

    async def _run_once(self, batch: Sequence[LaneFact]) -> None:
        targets = _targets(batch)

        async def settle(db: Database) -> None:
            await move_checkpoints(db, self._consumer.name, targets)

        await self._reactions.run(self._consumer, [item.fact for item in batch], settle, silent=batch[0].is_silent)
        note_moved(targets)
        self._metrics.reaction(self._consumer.name, "done", len(batch))

    async def _try_again(self, item: LaneFact, error: Exception) -> None:
        for tries in range(1, TRIES_BEFORE_PARKING):
            self._metrics.reaction(self._consumer.name, "failed", 1)
            await asyncio.sleep(FIRST_PAUSE_S * 2 ** (tries - 1))
            try:
                await self._run_once([item])
            except (*AWAY, LanesMoved):
                raise
            except Exception as another:
                error = another
            else:
                return
        targets = _targets([item])
        async with self._units.write() as db:
            await move_checkpoints(db, self._consumer.name, targets)
            await self._park(db, item.fact, error)
        note_moved(targets)

    async def _park(self, db: Database, fact: StoredFact, error: Exception) -> None:
        # PostgreSQL stores neither NUL nor lone surrogates; an error message may quote both.
        message = f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode().replace("\0", "\\0")
        await db.facts.park(
            consumer=self._consumer.name, fact_id=fact.id, name=fact.name, payload=fact.payload, error=message
        )
        log.error("fact_parked", consumer=self._consumer.name, fact_id=fact.id, error=message, exc_info=error)
        self._metrics.reaction(self._consumer.name, "parked", 1)


def _targets(batch: Sequence[LaneFact]) -> list[tuple[Lane, LogPosition]]:
    """Where the lanes of a batch stand after it, sorted by number: every worker locks checkpoints in this order."""
    moves = {item.lane.number: (item.lane, item.moves_to) for item in batch}
    return [moves[number] for number in sorted(moves)]

"""Brings batches of Facts to a consumer; finds the one that fails, and parks it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog

from handlers.feature import Consumer
from realtime.redis.client import StoreUnavailable
from server.monitoring.metrics import Metrics
from server.pipeline.reactions import FactBatch, Reactions
from server.worker.lanes import (
    Lane,
    LaneFacts,
    LanesMoved,
    as_one,
    count,
    halves,
    move_checkpoints,
    note_moved,
    targets_of,
)
from sql.database import Database
from sql.errors import Retry, StatementTooSlow, Unavailable
from sql.unit import Units

TRIES_BEFORE_PARKING = 5
FIRST_PAUSE_S = 0.05
"""Between the first two tries of a Fact that fails; each further pause is twice as long."""
TOO_SLOW_FOR_S = 60.0
"""A Fact whose statements take too long is tried for at least so long: nobody else's lock lasts as long as that."""

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

    async def run(self, batch: Sequence[LaneFacts], *, silent: bool = False) -> None:
        """Deals with all Facts of the batch, and moves the checkpoints of their lanes. `silent`: without pushes.

        A batch that fails is halved until the Fact that fails stands alone; this is parked after its tries. Raises one
        of AWAY, with the Facts up to some place dealt with, and LanesMoved. Statements that take too long count as
        away while the batch has several Facts of a lane: the caller may read fewer.
        """
        if not all(self._may_go_on(facts.lane) for facts in batch):
            raise LanesMoved
        try:
            await self._run_once(batch, silent=silent)
        except StatementTooSlow as error:
            if count(batch) > len(batch):
                raise
            await self._isolate(batch, error, silent=silent)
        except (*AWAY, LanesMoved):
            raise
        except Exception as error:
            await self._isolate(batch, error, silent=silent)

    async def _isolate(self, batch: Sequence[LaneFacts], error: Exception, *, silent: bool) -> None:
        if count(batch) == 1:
            await self._try_again(batch, error, silent=silent)
        else:
            for half in halves(batch):
                await self.run(half, silent=silent)

    async def replay(self, fact_id: int, name: str, payload: str) -> None:
        """Tries a parked Fact again; it stays parked when it fails."""

        async def unpark(db: Database) -> None:
            if not await db.facts.unpark(consumer=self._consumer.name, fact_id=fact_id):
                raise LanesMoved

        try:
            await self._reactions.run(self._consumer, FactBatch([name], [payload]), unpark)
        except (*AWAY, LanesMoved):
            raise
        except Exception as error:
            await self._park_again(fact_id, error)
        else:
            self._metrics.reaction(self._consumer.name, "done", 1)

    async def _run_once(self, batch: Sequence[LaneFacts], *, silent: bool) -> None:
        targets = targets_of(batch)

        async def settle(db: Database) -> None:
            await move_checkpoints(db, self._consumer.name, targets)

        await self._reactions.run(self._consumer, as_one(batch), settle, silent=silent)
        note_moved(targets)
        self._metrics.reaction(self._consumer.name, "done", count(batch))

    async def _try_again(self, alone: Sequence[LaneFacts], error: Exception, *, silent: bool) -> None:
        tries, until_s = 1, time.monotonic() + (TOO_SLOW_FOR_S if isinstance(error, StatementTooSlow) else 0.0)
        while tries < TRIES_BEFORE_PARKING or time.monotonic() < until_s:
            self._metrics.reaction(self._consumer.name, "failed", 1)
            await asyncio.sleep(FIRST_PAUSE_S * 2 ** min(tries - 1, TRIES_BEFORE_PARKING))
            if not self._may_go_on(alone[0].lane):
                raise LanesMoved
            try:
                await self._run_once(alone, silent=silent)
            except StatementTooSlow as another:
                error = another
            except (*AWAY, LanesMoved):
                raise
            except Exception as another:
                error = another
            else:
                return
            tries += 1
        targets, (facts,) = targets_of(alone), alone
        async with self._units.write() as db:
            await move_checkpoints(db, self._consumer.name, targets)
            await self._park(db, facts.ids[0], facts.names[0], facts.payloads[0], error)
        note_moved(targets)

    async def _park(self, db: Database, fact_id: int, name: str, payload: str, error: Exception) -> None:
        message = _storable(error)
        await db.facts.park(consumer=self._consumer.name, fact_id=fact_id, name=name, payload=payload, error=message)
        self._note_parked(fact_id, message, error)

    async def _park_again(self, fact_id: int, error: Exception) -> None:
        message = _storable(error)
        await self._units.single_writes.facts.park_again(consumer=self._consumer.name, fact_id=fact_id, error=message)
        self._note_parked(fact_id, message, error)

    def _note_parked(self, fact_id: int, message: str, error: Exception) -> None:
        log.error("fact_parked", consumer=self._consumer.name, fact_id=fact_id, error=message, exc_info=error)
        self._metrics.reaction(self._consumer.name, "parked", 1)


def _storable(error: Exception) -> str:
    """PostgreSQL stores neither NUL nor lone surrogates; an error message may quote both."""
    return f"{type(error).__name__}: {error}".encode(errors="backslashreplace").decode().replace("\0", "\\0")

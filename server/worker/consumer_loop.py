"""Reads the log of Facts for one consumer."""

from __future__ import annotations

import asyncio
import contextlib
import time

import structlog

from handlers.feature import Consumer
from realtime.process.outage_log import OutageLog
from server.worker.batches import AWAY, BatchRunner
from server.worker.lane_leases import LaneLeases
from server.worker.lanes import Lane, LanesMoved, ReadFacts, move_checkpoints, note_moved, take_facts
from server.worker.wake_up import WakeUp
from sql.unit import Units

BATCH_SIZE = 128
"""Facts of a lane that are read at once."""
SCAN_SIZE = 5_000
"""Facts of a lane that are looked at at once, those that are nothing to this consumer too."""
POLL_S = 0.25
"""How often it looks without being woken."""
GATHER_S = 0.02
"""How long it waits after it has read all there was, so that the next ones are read together."""
HELD_POLL_S = 0.02
"""How often it looks while Facts wait for an open transaction, for the first HELD_SHORT_S."""
HELD_SHORT_S = 0.5
SAVE_EVERY_S = 60.0
"""How often the checkpoint moves over Facts that are nothing to this consumer, so that they may be removed."""
REPLAY_EVERY_S = 1.0
REPLAY_BATCH = 100
PAUSE_AFTER_FAILURE_S = 0.25

log = structlog.get_logger(__name__)


class ConsumerLoop:
    """Deals with the Facts of one consumer's lanes in this process, in a task of its own: it holds up no other."""

    def __init__(
        self, consumer: Consumer, units: Units, leases: LaneLeases, wake_up: WakeUp, batches: BatchRunner
    ) -> None:
        self._consumer = consumer
        self._names = sorted({handler.fact.name for handler in consumer.handlers})
        self._units = units
        self._leases = leases
        self._batches = batches
        self._lanes: dict[int, Lane] = {}
        self._batch_size = BATCH_SIZE
        self._woken = asyncio.Event()
        wake_up.on_new_facts(self._woken)
        leases.on_change(self._woken)
        self._is_stopping = False
        self._held_since_s: float | None = None
        self._save_at_s = time.monotonic() + SAVE_EVERY_S
        self._replay_at_s = 0.0

    def ask_to_stop(self) -> None:
        """Ends `run` after the batch that is being worked on."""
        self._is_stopping = True
        self._woken.set()

    async def run(self) -> None:
        outage = OutageLog(log, "consumer_waits", known=AWAY, consumer=self._consumer.name)
        while not self._is_stopping:
            self._woken.clear()
            pause_s = PAUSE_AFTER_FAILURE_S
            try:
                pause_s = await self._turn()
                if self._lanes:
                    outage.succeeded()
            except LanesMoved:
                self._lanes = {}
            except Exception as error:
                self._lanes = {}
                # A batch whose statements take too long for PostgreSQL looks like an outage; fewer Facts may do.
                self._batch_size = max(1, self._batch_size // 2)
                outage.failed(error)
            if pause_s:
                await self._wait(pause_s)

    async def _turn(self) -> float:
        """Deals with what there is to read; returns how long to wait before the next time, unless woken."""
        now_s = time.monotonic()
        await self._follow_leases()
        if now_s >= self._replay_at_s:
            self._replay_at_s = now_s + REPLAY_EVERY_S
            await self._replay()
        if not self._lanes:
            return POLL_S
        read = await self._read()
        if read.silent:
            await self._batches.run(read.silent, silent=True)
        if read.fresh:
            await self._batches.run(read.fresh)
        if read.silent or read.fresh:
            self._batch_size = min(BATCH_SIZE, self._batch_size + self._batch_size // 8 + 1)
        if now_s >= self._save_at_s:
            self._save_at_s = now_s + SAVE_EVERY_S
            await self._save()
        if (read.silent or read.fresh) and not read.more:
            await asyncio.sleep(GATHER_S)
        return self._pause(read, now_s)

    async def _follow_leases(self) -> None:
        leased = self._leases.lanes_of(self._consumer.name)
        for number in self._lanes.keys() - leased.keys():
            del self._lanes[number]
        # One whose checkpoint was seen behind ours was rewound, unless we have moved it since.
        unknown = [
            number
            for number, checkpoint in leased.items()
            if (lane := self._lanes.get(number)) is None or checkpoint < lane.stored
        ]
        if unknown:
            rows = await self._units.reads.facts.read_checkpoints(consumer=self._consumer.name, lanes=unknown)
            for row in rows:
                fresh = Lane.at_checkpoint(row)
                if row.lane not in self._lanes or self._lanes[row.lane].stored != fresh.stored:
                    self._lanes[row.lane] = fresh

    async def _read(self) -> ReadFacts:
        lanes = list(self._lanes.values())
        rows = await self._units.reads.facts.read_facts(
            lanes=[lane.number for lane in lanes],
            positions=[lane.read_to.stamp for lane in lanes],
            fact_ids=[lane.read_to.fact_id for lane in lanes],
            names=self._names,
            batch_size=self._batch_size,
            scan_size=SCAN_SIZE,
        )
        # One of another name marks how far was looked: no handler gets it, and the checkpoint moves there.
        return take_facts(rows, self._lanes)

    async def _save(self) -> None:
        targets = [(lane, lane.read_to) for _, lane in sorted(self._lanes.items()) if lane.read_to > lane.stored]
        if targets:
            async with self._units.write() as db:
                await move_checkpoints(db, self._consumer.name, targets)
            note_moved(targets)

    async def _replay(self) -> None:
        rows = await self._units.reads.facts.list_replays(consumer=self._consumer.name, page_size=REPLAY_BATCH)
        for row in rows:
            with contextlib.suppress(LanesMoved):  # another worker was quicker
                await self._batches.replay(row.fact_id, row.name, row.payload)

    def _pause(self, read: ReadFacts, now_s: float) -> float:
        if read.silent or read.fresh:
            self._held_since_s = None  # what is held from now on waits for another transaction
            return 0.0
        if not read.held:
            self._held_since_s = None
            return POLL_S
        if self._held_since_s is None:
            self._held_since_s = now_s
        return HELD_POLL_S if now_s - self._held_since_s < HELD_SHORT_S else POLL_S

    async def _wait(self, pause_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), pause_s)

"""How far a consumer has read its lanes of the log, and what it has to do next."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from server.pipeline.reactions import FactBatch
from sql.database import Database
from sql.facts import CheckpointRow, LaneFactsRow


class LogPosition(NamedTuple):
    """A place in a lane: all Facts up to it, itself included, are dealt with or read."""

    stamp: int
    fact_id: int


class LanesMoved(Exception):
    """Another worker has moved a checkpoint, or somebody has rewound it: nothing of the batch may be stored."""


@dataclass(slots=True)
class Lane:
    """A lane that this process reads for one consumer."""

    number: int
    stored: LogPosition
    """The checkpoint in PostgreSQL."""
    read_to: LogPosition
    """At or after the checkpoint: no Fact of this consumer stands in between."""
    reached: LogPosition
    """The furthest that the checkpoint ever stood; Facts up to it are dealt with in silence."""

    @classmethod
    def at_checkpoint(cls, row: CheckpointRow) -> Lane:
        stored = LogPosition(row.position, row.fact_id)
        return cls(row.lane, stored, stored, LogPosition(row.reached_position, row.reached_fact_id))


@dataclass(frozen=True, slots=True)
class LaneFacts:
    """Facts of a lane that follow each other, in its order, as parallel lists; never none."""

    lane: Lane
    ids: Sequence[int]
    positions: Sequence[int]
    names: Sequence[str]
    payloads: Sequence[str]
    moves_to: LogPosition
    """Where the checkpoint stands when they are dealt with."""

    def part(self, start: int, end: int) -> LaneFacts:
        """Some of them; the checkpoint stands at the last one then, or where it stands after all."""
        is_rest = end == len(self.ids)
        return LaneFacts(
            self.lane,
            self.ids[start:end],
            self.positions[start:end],
            self.names[start:end],
            self.payloads[start:end],
            self.moves_to if is_rest else LogPosition(self.positions[end - 1], self.ids[end - 1]),
        )


class ReadFacts(NamedTuple):
    """What was read of all lanes. `silent` are those that were dealt with before a rewind: they come first."""

    silent: list[LaneFacts]
    fresh: list[LaneFacts]
    held: bool
    """There are Facts that cannot be read before a transaction elsewhere has ended."""
    more: bool
    """There may be others behind them, which can be read at once."""


def take_facts(rows: Iterable[LaneFactsRow], lanes: Mapping[int, Lane]) -> ReadFacts:
    """Sorts out what was read; lanes without a Fact are read up to the horizon then."""
    silent, fresh, held, more = [], [], False, False
    for row in rows:
        lane, horizon = lanes[row.lane], LogPosition(row.horizon, 0)
        held, more = held or row.held, more or row.more
        if not row.ids:
            lane.read_to = max(lane.read_to, horizon)
            continue
        last = LogPosition(row.positions[-1], row.ids[-1])
        moves_to = last if row.more else max(last, horizon)
        facts = LaneFacts(lane, row.ids, row.positions, row.names, row.payloads, moves_to)
        known = bisect_right(list(zip(row.positions, row.ids, strict=True)), lane.reached)
        if known:
            silent.append(facts.part(0, known))
        if known < len(row.ids):
            fresh.append(facts.part(known, len(row.ids)))
    return ReadFacts(silent, fresh, held, more)


def count(batch: Iterable[LaneFacts]) -> int:
    return sum(len(facts.ids) for facts in batch)


def halves(batch: Sequence[LaneFacts]) -> tuple[list[LaneFacts], list[LaneFacts]]:
    """The first and the second half of at least two Facts."""
    first: list[LaneFacts] = []
    rest = list(batch)
    wanted = count(batch) // 2
    while wanted:
        facts = rest.pop(0)
        taken = min(wanted, len(facts.ids))
        first.append(facts.part(0, taken))
        if taken < len(facts.ids):
            rest.insert(0, facts.part(taken, len(facts.ids)))
        wanted -= taken
    return first, rest


def as_one(batch: Sequence[LaneFacts]) -> FactBatch:
    """All Facts, lane after lane."""
    return FactBatch(
        [name for facts in batch for name in facts.names], [body for facts in batch for body in facts.payloads]
    )


Targets = Sequence[tuple[Lane, LogPosition]]
"""Where the checkpoints of lanes are to stand; sorted by number, since every worker locks them in this order."""


def targets_of(batch: Iterable[LaneFacts]) -> Targets:
    return sorted(((facts.lane, facts.moves_to) for facts in batch), key=lambda target: target[0].number)


async def move_checkpoints(db: Database, consumer: str, targets: Targets) -> None:
    """Stores the new checkpoints in the transaction of the effects. Raises LanesMoved where one stands elsewhere."""
    moved = await db.facts.move_checkpoints(
        consumer=consumer,
        lanes=[lane.number for lane, _ in targets],
        old_positions=[lane.stored.stamp for lane, _ in targets],
        old_fact_ids=[lane.stored.fact_id for lane, _ in targets],
        positions=[target.stamp for _, target in targets],
        fact_ids=[target.fact_id for _, target in targets],
    )
    if moved != len(targets):
        raise LanesMoved


def note_moved(targets: Targets) -> None:
    """After the commit."""
    for lane, target in targets:
        lane.stored = target
        lane.read_to = max(lane.read_to, target)
        lane.reached = max(lane.reached, target)

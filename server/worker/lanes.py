"""How far a consumer has read its lanes of the log, and what it has to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from server.pipeline.reactions import StoredFact
from sql.database import Database
from sql.facts import CheckpointRow, LaneFactRow


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


class LaneFact(NamedTuple):
    """A Fact with its lane, and where the lane stands when all of its Facts up to this one are dealt with."""

    lane: Lane
    fact: StoredFact
    moves_to: LogPosition
    is_silent: bool


class ReadBatch(NamedTuple):
    facts: list[LaneFact]
    """In the order of each lane."""
    held: bool
    """There are Facts that cannot be read before a transaction elsewhere has ended."""


def take_batch(rows: Sequence[LaneFactRow], lanes: Iterable[Lane], *, batch_size: int) -> ReadBatch:
    """Makes a batch of what was read; lanes without a Fact are read up to the horizon then."""
    by_number = {lane.number: lane for lane in lanes}
    found: dict[int, list[LaneFact]] = {number: [] for number in by_number}
    for row in rows:
        if row.id is None or row.position is None or row.name is None or row.payload is None:
            continue
        lane, position = by_number[row.lane], LogPosition(row.position, row.id)
        found[row.lane].append(
            LaneFact(lane, StoredFact(row.id, row.name, row.payload), position, position <= lane.reached)
        )
    horizons = {row.lane: LogPosition(row.horizon, 0) for row in rows}
    for number, facts in found.items():
        horizon = horizons[number]
        if len(facts) < batch_size and horizon > by_number[number].read_to:
            # All below the horizon is read.
            if facts:
                facts[-1] = facts[-1]._replace(moves_to=horizon)
            else:
                by_number[number].read_to = horizon
    return ReadBatch([fact for facts in found.values() for fact in facts], any(row.held for row in rows))


async def move_checkpoints(db: Database, consumer: str, targets: Sequence[tuple[Lane, LogPosition]]) -> None:
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


def note_moved(targets: Iterable[tuple[Lane, LogPosition]]) -> None:
    """After the commit."""
    for lane, target in targets:
        lane.stored = target
        lane.read_to = max(lane.read_to, target)
        lane.reached = max(lane.reached, target)

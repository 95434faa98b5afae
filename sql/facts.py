"""The log of Facts, and what its consumers have read of it."""

import datetime
from typing import NamedTuple, Protocol

from sql.ids import FactId

LANES = 8
"""Facts are spread over so many lanes by their key; a lane is read by one worker."""


class LaneRow(NamedTuple):
    consumer: str
    lane: int
    position: int
    fact_id: int


class CheckpointRow(NamedTuple):
    lane: int
    position: int
    fact_id: int
    """All Facts up to (position, fact_id) are dealt with."""
    reached_position: int
    reached_fact_id: int
    """The furthest that the checkpoint ever stood; it is behind that after a rewind."""


class LaneFactsRow(NamedTuple):
    """The Facts of a lane, in parallel lists."""

    lane: int
    horizon: int
    """Every Fact below this stamp can be read."""
    held: bool
    """There are Facts that cannot be read before a transaction elsewhere has ended."""
    more: bool
    """Others may follow below the horizon. The last one may be of a name that was not asked for."""
    ids: list[FactId]
    positions: list[int]
    names: list[str]
    payloads: list[str]
    """JSON texts."""


class ParkedRow(NamedTuple):
    fact_id: FactId
    name: str
    payload: str
    consumer: str
    error: str
    parked_at: datetime.datetime


class ReplayRow(NamedTuple):
    fact_id: FactId
    name: str
    payload: str


class LagRow(NamedTuple):
    consumer: str
    fact_count: int
    """Facts that it has not dealt with, counted up to a limit per lane."""
    age_s: float
    """Of the oldest of them; 0 when there is none."""
    parked_count: int
    worker_count: int
    """Workers that read lanes of it at present."""


class FactQueries(Protocol):
    async def insert_facts(self, *, names: list[str], payloads: list[str], keys: list[int]) -> None:
        """Stores Facts: names, JSON texts and keys, in parallel lists."""
        ...

    async def introduce_consumer(self, *, consumer: str, fact_names: list[str], from_now: bool) -> None: ...

    async def claim_lanes(self, *, worker: str, consumers: list[str], lease_s: float) -> list[LaneRow]: ...

    async def release_lanes(self, *, worker: str) -> None: ...

    async def read_checkpoints(self, *, consumer: str, lanes: list[int]) -> list[CheckpointRow]: ...

    async def read_facts(
        self,
        *,
        lanes: list[int],
        positions: list[int],
        fact_ids: list[int],
        names: list[str],
        batch_size: int,
        scan_size: int,
    ) -> list[LaneFactsRow]:
        """Facts with these names after (position, fact_id) of each lane; the first three are parallel lists."""
        ...

    async def move_checkpoints(
        self,
        *,
        consumer: str,
        lanes: list[int],
        old_positions: list[int],
        old_fact_ids: list[int],
        positions: list[int],
        fact_ids: list[int],
    ) -> int:
        """Moves those that stand at (old_position, old_fact_id); the others were moved by another worker."""
        ...

    async def park(self, *, consumer: str, fact_id: int, name: str, payload: str, error: str) -> None: ...

    async def park_again(self, *, consumer: str, fact_id: int, error: str) -> None: ...

    async def list_parked(self, *, before_fact_id: int, page_size: int) -> list[ParkedRow]: ...

    async def ask_replay(self) -> int: ...

    async def list_replays(self, *, consumer: str, page_size: int) -> list[ReplayRow]: ...

    async def unpark(self, *, consumer: str, fact_id: int) -> bool | None:
        """None when it was not parked: another worker has tried it meanwhile."""
        ...

    async def read_lags(self, *, count_limit: int) -> list[LagRow]: ...

    async def read_held(self) -> float: ...

    async def rewind(self, *, consumer: str, moment: datetime.datetime) -> int: ...

    async def forget_consumer(self, *, consumer: str) -> bool: ...

    async def attach_days(self, *, days_ahead: int) -> int: ...

    async def drop_days(self, *, keep_days: int) -> int: ...

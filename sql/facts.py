"""The outbox of Facts, and which consumer has handled which Fact."""

import datetime
from typing import NamedTuple, Protocol

from sql.ids import FactId


class OutboxRow(NamedTuple):
    id: FactId
    fact: str
    payload: str
    """JSON text, as it is written to the stream."""


class ParkedRow(NamedTuple):
    fact_id: FactId
    fact: str
    payload: str
    consumer: str
    error: str
    parked_at: datetime.datetime


class BacklogRow(NamedTuple):
    unsent_count: int
    oldest_unsent_age_s: float
    """0 when there is no unsent Fact."""
    unconfirmed_count: int
    """Sent, but not yet confirmed by every consumer, or not yet removed."""
    parked_count: int


class FactQueries(Protocol):
    async def insert_facts(self, *, facts: list[str], payloads: list[str]) -> list[FactId]:
        """Names and JSON texts, in parallel lists; the ids have the same order."""
        ...

    async def take_unsent(self, *, resend_after_s: float, batch_size: int) -> list[OutboxRow]:
        """Facts that no other relay has locked. They count as sent once the transaction is committed."""
        ...

    async def confirm(self, *, fact_id: int, consumer: str) -> bool | None:
        """True the first time; None for a repeat (it waits for a first one in progress) and for a removed row."""
        ...

    async def park(self, *, fact_id: int, consumer: str, error: str) -> bool | None:
        """Confirms with an error; the row is kept until it is replayed. None when it was confirmed already."""
        ...

    async def list_parked(self, *, before_fact_id: int, page_size: int) -> list[ParkedRow]: ...

    async def replay(self, *, fact_id: int, consumer: str) -> bool | None:
        """Unparks a Fact, so that it is sent again; None when it was not parked."""
        ...

    async def sweep_confirmed(self, *, facts: list[str], consumer_counts: list[int], batch_size: int) -> int:
        """Removes rows that all consumers of their Fact (parallel lists) have confirmed; returns their number.

        Rows of Facts that are not named stay: a newer node may know them.
        """
        ...

    async def read_backlog(self) -> BacklogRow: ...

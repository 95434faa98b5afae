"""Facts on their way: the outbox, and what each consumer has done."""

import datetime
from typing import NamedTuple, Protocol

from sql.ids import FactId


class OutboxRow(NamedTuple):
    id: FactId
    fact: str
    payload: str
    """JSON text, as it goes on the stream."""


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
    """0 when nothing waits."""
    unconfirmed_count: int
    """Sent, and not yet confirmed by every consumer and swept."""
    parked_count: int


class FactQueries(Protocol):
    async def insert_facts(self, *, facts: list[str], payloads: list[str]) -> list[FactId]:
        """Names and JSON texts, in parallel lists; the ids come in the same order."""
        ...

    async def take_unsent(self, *, resend_after_s: float, batch_size: int) -> list[OutboxRow]:
        """What no other relay holds at the moment. It counts as sent once the transaction is committed."""
        ...

    async def confirm(self, *, fact_id: int, consumer: str) -> bool | None:
        """True for the first time only; None for a repeat (it waits for a first one under way) and for a row swept."""
        ...

    async def park(self, *, fact_id: int, consumer: str, error: str) -> bool | None:
        """Confirms with an error; the row is kept until it is replayed. None when it was confirmed already."""
        ...

    async def list_parked(self, *, before_fact_id: int, page_size: int) -> list[ParkedRow]: ...

    async def replay(self, *, fact_id: int, consumer: str) -> bool | None:
        """Takes the parking back, so that the Fact is sent again; None when it was not parked."""
        ...

    async def sweep_confirmed(self, *, facts: list[str], consumer_counts: list[int], batch_size: int) -> int:
        """Ends the way of rows that all consumers of their fact (parallel lists) have confirmed; how many.

        Rows of facts not named here stay: a newer node may know them.
        """
        ...

    async def read_backlog(self) -> BacklogRow: ...

"""Calls of one key that share a statement take effect in their order, whatever is skipped and refused."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from operator import itemgetter
from typing import Any

import pytest_asyncio

from sql.execution.joined_query import JoinedQuery
from sql.execution.joined_writes import JoinedWrites
from sql.execution.statements import Statements
from sql.pool import PATIENCE, LentConnection, Pool, close_pool
from tests.kit.pool import opened_pool

NUMBERED = JoinedQuery(
    """
    SELECT call.place, NOT held.free, CASE WHEN held.free THEN nextval('id_sequence') END, 1 / call.divisor
    FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS call (key, divisor, place)
    CROSS JOIN (SELECT $3::boolean OR pg_try_advisory_xact_lock(1) AS free) held
    """,
    itemgetter(2),
    many_rows=False,
    key=itemgetter(0),
    several_of_key=True,
)
"""Numbers its calls. It skips all of them while the lock is taken, and a divisor of 0 is refused."""


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url)
    yield opened
    await close_pool(opened, timeout_s=5)


@pytest_asyncio.fixture
async def other(pool: Pool) -> AsyncIterator[LentConnection]:
    """A connection that has taken the lock."""
    async with pool.lend() as connection:
        await connection.execute("SELECT pg_advisory_lock(1)")
        yield connection
        await free(connection)


async def free(other: LentConnection) -> None:
    await other.execute("SELECT pg_advisory_unlock_all()")


async def test_no_call_passes_one_that_was_skipped_in_an_earlier_half(pool: Pool, other: LentConnection) -> None:
    statements = Statements(pool, PATIENCE)
    executed: list[int] = []

    async def fetch(sql: str, *arguments: Any) -> Sequence[Any]:
        executed.append(len(arguments[0]))
        rows = await statements.fetch(sql, *arguments)
        if rows[0][1]:  # they were skipped, and the others would not be
            await free(other)
        return rows

    writes = JoinedWrites(NUMBERED, fetch)
    calls = [writes.call([1, divisor]) for divisor in (1, 1, 1, 0)]
    results: list[Any] = await asyncio.gather(*calls, return_exceptions=True)
    *numbers, refused = results
    assert executed[:2] == [4, 2]
    assert isinstance(refused, Exception)
    assert numbers == sorted(numbers)


async def test_no_call_passes_one_that_waits_alone(pool: Pool, other: LentConnection) -> None:
    statements = Statements(pool, PATIENCE)
    beside: list[int] = []

    async def fetch(sql: str, *arguments: Any) -> Sequence[Any]:
        if arguments[-1] and not beside:  # the first one waits alone; no other would be skipped any more
            await free(other)
            beside.append(await writes.call([2, 1]))
        return await statements.fetch(sql, *arguments)

    writes = JoinedWrites(NUMBERED, fetch)
    numbers = await asyncio.gather(*(writes.call([1, 1]) for _ in range(3)))
    assert [*beside, *numbers] == sorted([*beside, *numbers])

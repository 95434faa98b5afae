import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sql.errors import Unavailable
from sql.execution.statements import Statements
from sql.execution.turns import Patience
from sql.pool import PATIENCE, Pool, close_pool
from tests.kit.pool import opened_pool


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url, max_size=4)
    yield opened
    await close_pool(opened, timeout_s=5)


async def test_statements_queue_for_a_turn_and_leave_connections_for_others(pool: Pool) -> None:
    readers = Statements(pool, PATIENCE, at_once_max=1)
    done: list[int] = []

    async def read(number: int) -> None:
        await readers.fetchval("SELECT pg_sleep(0.02) IS NOT NULL")
        done.append(number)

    crowd = [asyncio.create_task(read(number)) for number in range(10)]
    await asyncio.sleep(0)
    assert await Statements(pool, Patience(0.05, 0.05)).fetchval("SELECT 1") == 1
    await asyncio.gather(*crowd)
    assert done == list(range(10))


async def test_a_turn_that_does_not_come_is_unavailable_and_blocks_no_other(pool: Pool) -> None:
    readers = Statements(pool, Patience(0.02, 0.02), at_once_max=1)
    reading = asyncio.create_task(readers.fetchval("SELECT pg_sleep(0.2) IS NOT NULL"))
    await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(Unavailable):
            await readers.fetchval("SELECT 1")
    await reading
    assert await readers.fetchval("SELECT 1") == 1

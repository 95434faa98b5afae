"""A pool on the module's database, and people to put into it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sql.database import Queries, load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.sql.world import World


@pytest.fixture(scope="session")
def queries() -> Queries:
    return load_queries()


@pytest_asyncio.fixture
async def units(database_url: str, queries: Queries) -> AsyncIterator[Units]:
    pool = await opened_pool(
        database_url, max_size=16, statement_timeout_ms=20_000, idle_in_transaction_timeout_ms=20_000
    )
    yield Units(pool, queries, acquire_timeout_s=20)
    await close_pool(pool, timeout_s=5)


@pytest.fixture
def world(units: Units) -> World:
    return World(units)

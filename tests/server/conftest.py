"""Parts of a node that tests of other parts stand on."""

from collections.abc import AsyncIterator

import pytest_asyncio

from sql.database import load_queries
from sql.pool import close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool


@pytest_asyncio.fixture
async def units(database_url: str) -> AsyncIterator[Units]:
    """Units of work on the module's database."""
    pool = await opened_pool(database_url, statement_timeout_ms=20_000, idle_in_transaction_timeout_ms=20_000)
    yield Units(pool, load_queries(), acquire_timeout_s=20)
    await close_pool(pool, timeout_s=5)

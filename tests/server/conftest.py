"""Parts of a node that tests of other parts stand on."""

from collections.abc import AsyncIterator

import pytest_asyncio

from sql.pool import close_pool, open_pool
from sql.unit import Units


@pytest_asyncio.fixture
async def units(database_url: str) -> AsyncIterator[Units]:
    """Units of work on the module's database."""
    pool = await open_pool(
        database_url,
        min_size=1,
        max_size=2,
        connect_timeout_s=10,
        statement_timeout_ms=20_000,
        idle_in_transaction_timeout_ms=20_000,
    )
    yield Units(pool, acquire_timeout_s=20)
    await close_pool(pool, timeout_s=5)

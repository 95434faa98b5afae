from collections.abc import AsyncIterator

import pytest_asyncio

from tests.kit.numbers_feature import NumberTable, number_table


@pytest_asyncio.fixture
async def table(database_url: str) -> AsyncIterator[NumberTable]:
    async with number_table(database_url) as made:
        yield made

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.handlers.feed.feed_lab import FeedLab, feed_lab


@pytest_asyncio.fixture
async def lab(database_url: str, redis_url: str) -> AsyncIterator[FeedLab]:
    async with feed_lab(database_url, redis_url) as opened:
        yield opened

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from realtime.redis.client import open_redis


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A client of a running, empty Valkey."""
    client = open_redis(redis_url, client_name="test", timeout_s=20)
    yield client
    await client.aclose()

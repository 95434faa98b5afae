"""After the schema is brought up to date, processes may start on the database in any number."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import asyncpg

from server.commands.schema import bring_up_to_date
from server.composition.storage import open_pool_with_settings
from server.config import Settings
from tests.kit.server import settings_for_tests


async def start(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        await open_pool_with_settings(settings, stack, min_size=0, max_size=1)


async def test_a_start_afterwards_ends_nobody_s_sessions(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    assert await bring_up_to_date(settings) == 0
    idle = await asyncpg.connect(database_url, server_settings={"application_name": "rookery"})
    await start(settings)
    assert await idle.fetchval("SELECT 1") == 1
    await start(settings.model_copy(update={"statement_timeout_ms": settings.statement_timeout_ms + 1}))
    async with asyncio.timeout(10):  # it began with other settings
        while not idle.is_closed():
            await asyncio.sleep(0.01)

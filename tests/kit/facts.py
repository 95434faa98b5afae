"""What the log of Facts tells of its consumers."""

from __future__ import annotations

import asyncio
from typing import TypeAlias

import asyncpg

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_UNREAD = """
    SELECT count(*) FROM facts f
    JOIN fact_consumers k ON f.name = ANY(k.fact_names)
    JOIN fact_checkpoints c ON c.consumer = k.consumer AND c.lane = f.lane
    WHERE (f.position, f.id) > (c.position, c.fact_id) AND ($1::text IS NULL OR k.consumer = $1)
"""


async def count_unread(connection: Connection, consumer: str | None = None) -> int:
    """Facts that a consumer has not dealt with, each counted for each of its consumers."""
    return int(await connection.fetchval(_UNREAD, consumer))


async def until_all_are_read(database_url: str, *, within_s: float = 20.0) -> None:
    """Raises TimeoutError."""
    connection = await asyncpg.connect(database_url)
    try:
        async with asyncio.timeout(within_s):
            while await count_unread(connection):
                await asyncio.sleep(0.02)
    finally:
        await connection.close()

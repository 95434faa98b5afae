"""A separate connection pool, for tests of code that uses one."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

from sql.pool import Pool, open_pool
from sql.sessions import SessionLimits, store_session_settings


async def opened_pool(
    database_url: str,
    *,
    min_size: int = 1,
    max_size: int = 2,
    statement_timeout_ms: int = 5_000,
    idle_in_transaction_timeout_ms: int = 5_000,
) -> Pool:
    """Opens a pool that is small and by default gives all new sessions short timeouts; the caller closes it."""
    pool = await open_pool(
        database_url,
        min_size=min_size,
        max_size=max_size,
        connect_timeout_s=10,
        statement_timeout_ms=statement_timeout_ms,
    )
    await store_session_settings(pool, SessionLimits(statement_timeout_ms, idle_in_transaction_timeout_ms))
    await pool.renew()  # those that were open before have the settings of before
    return pool


async def value(pool: Pool, sql: str, *arguments: Any) -> Any:
    """One value, on a connection of the pool."""
    async with pool.lend() as connection:
        return await connection.fetchval(sql, *arguments)


def end_unnoticed(*process_ids: int) -> None:
    """Ends sessions without a turn of the loop: their pool does not know it yet."""
    for process_id in process_ids:
        os.kill(process_id, signal.SIGTERM)
    time.sleep(0.2)

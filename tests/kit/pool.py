"""A separate connection pool, for tests of code that uses one."""

from __future__ import annotations

from sql.pool import Pool, open_pool


async def opened_pool(
    database_url: str,
    *,
    min_size: int = 1,
    max_size: int = 2,
    statement_timeout_ms: int = 5_000,
    idle_in_transaction_timeout_ms: int = 5_000,
) -> Pool:
    """Opens a pool that is small and has short timeouts by default; the caller closes it."""
    return await open_pool(
        database_url,
        min_size=min_size,
        max_size=max_size,
        connect_timeout_s=10,
        statement_timeout_ms=statement_timeout_ms,
        idle_in_transaction_timeout_ms=idle_in_transaction_timeout_ms,
    )

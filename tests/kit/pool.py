"""A pool of its own, for tests of what stands on one."""

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
    """Small and impatient, unless the test is about just that; whoever opens it closes it."""
    return await open_pool(
        database_url,
        min_size=min_size,
        max_size=max_size,
        connect_timeout_s=10,
        statement_timeout_ms=statement_timeout_ms,
        idle_in_transaction_timeout_ms=idle_in_transaction_timeout_ms,
    )

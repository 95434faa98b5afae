"""PostgreSQL and Redis, as all other parts use them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from realtime.redis.client import RedisClient, open_redis
from server.config import Settings
from sql.database import Queries, load_queries
from sql.pool import Pool, close_pool, open_pool
from sql.sessions import SessionLimits, note_epoch, renew_sessions, store_session_settings
from sql.unit import Units


@dataclass(frozen=True, slots=True)
class Storage:
    """`reserved_units` have a connection of their own: revocations and `/ready` must not wait behind commands."""

    units: Units
    reserved_units: Units
    redis: RedisClient


async def open_storage(
    settings: Settings, node_id: str, stack: AsyncExitStack, *, uses_postgresql: bool = True
) -> Storage:
    """Connects to PostgreSQL, and stores there what holds for its sessions; connects to Redis at its first use.

    The stack closes both. A process that never uses PostgreSQL does not need one with `pool_min` 0.
    """
    queries = load_queries()
    open_it = open_pool_with_settings if uses_postgresql else _open_pool
    pool = await open_it(settings, stack, min_size=settings.pool_min, max_size=settings.pool_max)
    units = _units(settings, queries, pool, readers_max=max(1, settings.pool_max // 2))
    reserved_pool = await _open_pool(settings, stack, min_size=min(1, settings.pool_min), max_size=1)
    reserved_units = _units(settings, queries, reserved_pool)
    redis = open_redis(settings.redis_url, client_name=f"rookery-{node_id}")
    stack.push_async_callback(redis.aclose)
    return Storage(units, reserved_units, redis)


async def open_pool_with_settings(settings: Settings, stack: AsyncExitStack, *, min_size: int, max_size: int) -> Pool:
    """Stores in PostgreSQL what holds for all sessions, unless it is stored already. The stack closes the pool."""
    pool = await _open_pool(settings, stack, min_size=min_size, max_size=max_size)
    limits = SessionLimits(settings.statement_timeout_ms, settings.idle_in_transaction_timeout_ms)
    if await store_session_settings(pool, limits):
        await renew_sessions(pool)
    return pool


async def _open_pool(settings: Settings, stack: AsyncExitStack, *, min_size: int, max_size: int) -> Pool:
    pool = await open_pool(
        settings.database_url,
        min_size=min_size,
        max_size=max_size,
        connect_timeout_s=settings.connect_timeout_s,
        statement_timeout_ms=settings.statement_timeout_ms,
        named_statements=settings.database_named_statements,
        on_connected=note_epoch,
    )
    stack.push_async_callback(close_pool, pool, timeout_s=settings.drain_timeout_s)
    return pool


def _units(settings: Settings, queries: Queries, pool: Pool, *, readers_max: int | None = None) -> Units:
    return Units(
        pool,
        queries,
        acquire_timeout_s=settings.acquire_timeout_s,
        readers_max=readers_max,
        turn_timeout_s=settings.turn_timeout_s,
    )

"""What holds for every session stands in the database, and needs nothing of the connection that begins it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

import sql.sessions
from sql.pool import close_pool, open_pool
from sql.sessions import MIGRATION_LOCK, SessionLimits, renew_sessions, store_session_settings
from tests.kit.pool import end_unnoticed, value
from tests.kit.services import execute

LIMITS = SessionLimits(4321, 8765)
SHOWN = {
    "statement_timeout": "4321ms",
    "idle_in_transaction_session_timeout": "8765ms",
    "TimeZone": "UTC",
    "jit": "off",
    "plan_cache_mode": "force_generic_plan",
    "random_page_cost": "1.1",
}


async def opened(database_url: str) -> Any:
    return await open_pool(database_url, min_size=1, max_size=2, connect_timeout_s=5, statement_timeout_ms=4321)


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Any]:
    await execute(database_url, "ALTER ROLE CURRENT_USER IN DATABASE " + name_of(database_url) + " RESET ALL")
    made = await opened(database_url)
    yield made
    await close_pool(made, timeout_s=5)


def name_of(database_url: str) -> str:
    return database_url.split("?")[0].rsplit("/", 1)[1]


async def test_new_sessions_have_the_limits_and_the_time_zone(database_url: str, pool: Any) -> None:
    assert await store_session_settings(pool, LIMITS)
    plain = await asyncpg.connect(database_url)
    async with pool.lend() as ours:
        for connection in (ours, plain):
            assert {name: await connection.fetchval("SELECT current_setting($1)", name) for name in SHOWN} == SHOWN
    await plain.close()


async def test_settings_are_stored_where_they_differ(pool: Any) -> None:
    assert await store_session_settings(pool, LIMITS)
    assert not await store_session_settings(pool, LIMITS)
    assert await store_session_settings(pool, LIMITS._replace(statement_timeout_ms=1234))
    assert await value(pool, "SELECT current_setting('statement_timeout')") == "1234ms"


async def test_nodes_that_start_at_once_change_them_once(database_url: str, pool: Any) -> None:
    pools = [pool, *[await opened(database_url) for _ in range(3)]]
    changed = await asyncio.gather(*(store_session_settings(each, LIMITS) for each in pools))
    assert sorted(changed) == [False, False, False, True]
    for other in pools[1:]:
        await close_pool(other, timeout_s=5)


async def test_a_process_that_starts_survives_that_another_one_ends_its_sessions(pool: Any) -> None:
    process_id = await value(pool, "SELECT pg_backend_pid()")
    end_unnoticed(process_id)
    assert await store_session_settings(pool, LIMITS)


async def test_a_migration_is_waited_for_only_where_something_changes(database_url: str, pool: Any) -> None:
    await store_session_settings(pool, LIMITS)
    migrating = await asyncpg.connect(database_url)
    await migrating.execute(f"SELECT pg_advisory_lock({MIGRATION_LOCK})")
    assert not await store_session_settings(pool, LIMITS)
    storing = asyncio.create_task(store_session_settings(pool, LIMITS._replace(statement_timeout_ms=999)))
    await asyncio.wait([storing], timeout=0.1)
    assert not storing.done()
    await migrating.close()
    assert await storing


async def test_sessions_of_ours_begin_anew_each_once_it_is_idle(database_url: str, pool: Any) -> None:
    other = await opened(database_url)
    foreign = await asyncpg.connect(database_url)  # has another application name
    idle = await value(other, "SELECT pg_backend_pid()")
    gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
    async with pool.lend() as busy, busy.transaction():
        busy_id = await busy.fetchval("SELECT pg_backend_pid()")
        await store_session_settings(pool, LIMITS)
        renewal = asyncio.create_task(renew_sessions(pool))
        while not await foreign.fetchval(gone, idle):
            await asyncio.sleep(0.01)
        assert await busy.fetchval("SELECT pg_backend_pid()") == busy_id
        assert not renewal.done()
    await renewal
    for each in (pool, other):
        assert await value(each, "SELECT current_setting('statement_timeout')") == "4321ms"
    while not await foreign.fetchval(gone, busy_id):
        await asyncio.sleep(0.01)
    await foreign.close()
    await close_pool(other, timeout_s=5)


async def test_a_session_that_stays_busy_is_waited_for_no_longer_than_said(
    database_url: str, pool: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql.sessions, "RENEWAL_S", 0.1)
    other = await opened(database_url)
    async with other.lend() as busy, busy.transaction():
        busy_id = await busy.fetchval("SELECT pg_backend_pid()")
        assert await store_session_settings(pool, LIMITS)
        await renew_sessions(pool)
        assert await busy.fetchval("SELECT pg_backend_pid()") == busy_id
    await close_pool(other, timeout_s=5)

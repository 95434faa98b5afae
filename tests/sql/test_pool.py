import asyncio
import socket
from collections.abc import AsyncIterator
from ipaddress import IPv4Address
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

import sql.pool
from sql.database import Queries
from sql.errors import Unavailable
from sql.pool import PATIENCE, Pool, close_pool, connection_options, open_pool, plain_url
from sql.unit import Units
from tests.kit.pool import value
from tests.kit.services import execute


async def opened(database_url: str) -> Pool:
    return await open_pool(
        database_url,
        min_size=0,
        max_size=2,
        connect_timeout_s=5,
        statement_timeout_ms=4321,
    )


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    made = await opened(database_url.replace("postgresql://", "postgresql+asyncpg://"))
    yield made
    await close_pool(made, timeout_s=5)


def test_the_driver_in_an_address_is_dropped() -> None:
    assert plain_url("postgresql+asyncpg://a:b@h/d?x=1") == "postgresql://a:b@h/d?x=1"
    assert plain_url("postgres://h/d") == "postgres://h/d"


async def test_json_goes_in_and_comes_out_as_values(pool: Pool) -> None:
    told = {"text": "ä\u2028", "ids": [2**63 - 1, -1], "deep": {"flag": True, "none": None}}
    async with pool.lend() as connection:
        assert await connection.fetchval("SELECT $1::jsonb", told) == told
        assert await connection.fetchval("SELECT $1::jsonb[]", [told, {}]) == [told, {}]
        assert await connection.fetchval("SELECT NULL::jsonb") is None


@pytest.mark.parametrize("named_statements", [True, False])
async def test_later_connections_know_how_common_types_are_built(database_url: str, named_statements: bool) -> None:
    options = connection_options(named_statements=named_statements)
    sent: list[str] = []
    for times_asked in (1, 0):
        connection = await asyncpg.connect(database_url, **options)
        connection.add_query_logger(lambda record: sent.append(record.query))
        row = await connection.fetchrow("SELECT $1::bigint[], $2::inet[]", [1, None], ["10.0.0.1"])
        assert row is not None and tuple(row) == ([1, None], [IPv4Address("10.0.0.1")])
        await connection.execute("DROP TYPE IF EXISTS colour")
        await connection.execute("CREATE TYPE colour AS ENUM ('red')")
        assert await connection.fetchval("SELECT array['red'::colour]") == ["red"]
        await connection.close()
        asked = [query for query in sent if "typeinfo_tree" in query]
        assert len(asked) - 1 <= times_asked, "one is for the enum, which may be another one in each database"
        sent.clear()


async def test_a_server_that_cannot_be_reached_is_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(Unavailable):
            await open_pool(
                f"postgresql://nobody@127.0.0.1:{port}/none",
                min_size=1,
                max_size=1,
                connect_timeout_s=2,
                statement_timeout_ms=1000,
            )


async def test_closing_waits_no_longer_than_it_may(database_url: str) -> None:
    made = await opened(database_url)
    connection = await made.take(PATIENCE)
    async with asyncio.timeout(5):
        await close_pool(made, timeout_s=0.05)
    with pytest.raises(asyncpg.InterfaceError):
        await connection.fetchval("SELECT 1")


async def test_a_database_that_takes_no_connections_is_unavailable(
    postgres_admin_url: str, database_url: str, queries: Queries
) -> None:
    name = database_url.split("?")[0].rsplit("/", 1)[1]
    pool = await opened(database_url)
    await execute(postgres_admin_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
    try:
        with pytest.raises(Unavailable, match="not currently accepting connections"):
            async with Units(pool, queries, acquire_timeout_s=5).write():
                pass
    finally:
        await execute(postgres_admin_url, f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await close_pool(pool, timeout_s=5)


async def process_id(pool: Pool) -> int:
    """Of the connection that serves next."""
    found: int = await value(pool, "SELECT pg_backend_pid()")
    return found


async def ended(database_url: str, process_id: int) -> None:
    """Ends a connection at the server, and waits until it has ended there."""
    await execute(database_url, f"SELECT pg_terminate_backend({process_id})")
    connection = await asyncpg.connect(database_url)
    while await connection.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)", process_id):
        await asyncio.sleep(0.005)
    await connection.close()


async def test_a_connection_that_served_well_serves_again(pool: Pool) -> None:
    assert len({await process_id(pool) for _ in range(5)}) == 1


async def test_a_connection_lost_while_idle_is_replaced(pool: Pool, database_url: str) -> None:
    async with pool.lend():
        other = await process_id(pool)
    lost = {other, await process_id(pool)}
    assert len(lost) == 2
    for each in lost:
        await ended(database_url, each)
    async with pool.lend():
        async with asyncio.timeout(5):
            assert await process_id(pool) not in lost


async def test_renewed_connections_begin_anew_and_those_in_use_when_they_come_back(pool: Pool) -> None:
    before = await process_id(pool)
    await pool.renew()
    renewed = await process_id(pool)
    assert renewed != before
    async with pool.lend():
        await pool.renew()
    assert await process_id(pool) != renewed


async def test_connections_go_back_to_asyncpg_once_in_a_while(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql.pool, "KEPT_S", 0.02)
    gone_back, release = asyncio.Event(), asyncpg.Pool.release

    async def told(self: Any, connection: Any, **options: Any) -> None:
        await release(self, connection, **options)
        gone_back.set()

    monkeypatch.setattr(asyncpg.Pool, "release", told)
    pool = await opened(database_url)
    for _ in range(2):
        await process_id(pool)
        async with asyncio.timeout(5):
            await gone_back.wait()
        gone_back.clear()
    await close_pool(pool, timeout_s=5)

import asyncio
import socket
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from sql.database import Queries
from sql.errors import Unavailable
from sql.pool import Pool, close_pool, open_pool, plain_url
from sql.unit import Units
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
    value = {"text": "ä\u2028", "ids": [2**63 - 1, -1], "deep": {"flag": True, "none": None}}
    assert await pool.fetchval("SELECT $1::jsonb", value) == value
    assert await pool.fetchval("SELECT $1::jsonb[]", [value, {}]) == [value, {}]
    assert await pool.fetchval("SELECT NULL::jsonb") is None


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
    connection = await made.acquire()
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

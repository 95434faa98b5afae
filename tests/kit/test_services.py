import asyncio

import asyncpg
import pytest
import redis
import redis.asyncio

from tests.kit.services import Valkey


async def test_a_database_is_a_copy_of_the_template(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        name = await connection.fetchval("SELECT current_database()")
    finally:
        await connection.close()
    assert name.startswith("test_")


@pytest.mark.parametrize("turn", [1, 2])
async def test_each_test_gets_an_empty_valkey(redis_url: str, turn: int) -> None:
    client = redis.asyncio.Redis.from_url(redis_url)
    try:
        assert await client.dbsize() == 0
        await client.set("left", "over")
    finally:
        await client.aclose()


def test_valkey_goes_away_and_comes_back(valkey: Valkey) -> None:
    client = redis.Redis.from_url(valkey.url, retry=None)
    client.set("kept", "no")
    valkey.stop()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    valkey.start()
    assert client.get("kept") is None
    client.close()


async def test_tasks_that_end_by_themselves_are_no_leak() -> None:
    tasks = [asyncio.create_task(asyncio.sleep(0.01))]
    assert len(tasks) == 1

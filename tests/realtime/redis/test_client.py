from __future__ import annotations

import pytest
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, ResponseError

from realtime.redis.client import StoreUnavailable, open_redis, store_unavailable_when_away
from tests.kit.services import Valkey


async def test_a_client_names_itself_to_the_server(redis: Redis) -> None:
    assert await redis.client_getname() == "test"


async def test_a_command_survives_a_connection_that_the_server_closed(redis: Redis, valkey: Valkey) -> None:
    await redis.set("key", "before")
    valkey.restart()
    assert await redis.set("key", "after")


async def test_a_server_that_is_away_is_one_error(redis: Redis, valkey: Valkey) -> None:
    valkey.stop()
    with pytest.raises(StoreUnavailable):
        with store_unavailable_when_away():
            await redis.get("key")


async def test_a_server_that_does_not_answer_is_away(redis_url: str, redis: Redis) -> None:
    impatient = open_redis(redis_url, client_name="test", timeout_s=0.1)
    await impatient.ping()
    await redis.client_pause(1_000)
    with pytest.raises(StoreUnavailable):
        with store_unavailable_when_away():
            await impatient.get("key")
    await impatient.aclose()


async def test_an_address_without_a_server_is_away() -> None:
    client = open_redis("unix:///nowhere/valkey.sock", client_name="test")
    with pytest.raises(StoreUnavailable):
        with store_unavailable_when_away():
            await client.get("key")
    await client.aclose()


def test_a_replica_that_takes_no_writes_is_away() -> None:
    with pytest.raises(StoreUnavailable):
        with store_unavailable_when_away():
            raise ReadOnlyError("READONLY")


def test_a_wrong_command_is_a_defect_and_not_an_outage() -> None:
    with pytest.raises(ResponseError):
        with store_unavailable_when_away():
            raise ResponseError("ERR wrong number of arguments")

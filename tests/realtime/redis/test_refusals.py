"""A server that is up but refuses to work is away, whatever is asked of it; and it is back by itself."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis._parsers.base import BaseParser
from redis.asyncio import Redis

from realtime.contract.rate_limit import RateLimit
from realtime.limits.redis_limiter import RedisLimiter
from realtime.redis.client import REFUSALS, StoreRefuses, StoreUnavailable, open_redis, unavailability
from realtime.redis.pipelined_connection import PipelinedConnection
from realtime.redis.stream_writer import StreamWriter
from tests.kit import refusals

WITHIN_S = 10.0
PARSED: Callable[[str], Exception] = BaseParser.parse_error
"""The error that redis-py makes of a reply."""
ADDED = [("MULTI",), ("SADD", "people", 1), ("EXPIRE", "people", 60), ("EXEC",)]


@pytest.fixture
async def connection(redis: Redis) -> AsyncIterator[PipelinedConnection]:
    pipelined = PipelinedConnection(redis)
    await pipelined.send("PING")
    yield pipelined
    await pipelined.stop()


async def until_it_works(connection: PipelinedConnection) -> None:
    async with asyncio.timeout(WITHIN_S):
        while connection.away is not None:
            await asyncio.sleep(0.01)
    assert await connection.send("GET", "answer") == b"42"


@pytest.mark.parametrize("code", refusals.REFUSALS)
async def test_reads_writes_scripts_and_transactions_find_a_refusing_server_away(
    redis: Redis, redis_url: str, connection: PipelinedConnection, code: str
) -> None:
    await connection.send("SET", "answer", 42)
    limiter, writer, reader = (
        RedisLimiter(redis),
        StreamWriter(redis, "things", max_entries=10),
        PipelinedConnection(redis),
    )
    await reader.send("GET", "answer")
    check = ("key", RateLimit(5, 60), 1)
    assert (await limiter.hit([check])).allowed
    try:
        async with refusals.refusing(redis_url, code):
            with pytest.raises(StoreUnavailable):
                await connection.send_many(ADDED)
            with pytest.raises(StoreUnavailable):  # PUBLISH and GET are answered in most of these states
                await reader.send_many([("GET", "answer"), ("PUBLISH", "channel", "x")])
            with pytest.raises(StoreUnavailable):
                await limiter.hit([check])
            with pytest.raises(StoreUnavailable):
                await writer.append([{"name": "thing"}])
            assert reader.away is not None
            if code != "BUSY":  # while it is busy it may answer nobody in time
                async with asyncio.timeout(WITHIN_S):
                    while not isinstance(reader.away, StoreRefuses):
                        await asyncio.sleep(0.01)
                told = str(reader.away).partition(" ")[0]
                assert told == code or (code, told) == ("MASTERDOWN", "READONLY")  # what it says to writes then
        await until_it_works(connection)
        await until_it_works(reader)
        async with asyncio.timeout(WITHIN_S):
            while True:
                with contextlib.suppress(StoreUnavailable):
                    await writer.append([{"name": "thing"}])
                    break
                await asyncio.sleep(0.01)
    finally:
        await limiter.stop()
        await writer.stop()
        await reader.stop()


async def test_a_server_that_loads_its_data_is_away_until_it_has_them(
    redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    await redis.set("answer", 42)
    async with refusals.loading(redis_url, tmp_path) as (url, loader):
        client = open_redis(url, client_name="test")
        connection = PipelinedConnection(client)
        with pytest.raises(StoreRefuses, match="^LOADING "):
            await connection.send("GET", "answer")
        await loader.config_set("key-load-delay", 0)
        await until_it_works(connection)
        await connection.stop()
        await client.aclose()


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        *((f"{code} and the reason", code) for code in sorted(REFUSALS - {"MOVED", "ASK"})),
        ("MOVED 3999 127.0.0.1:6381", "MOVED"),
        ("ASK 3999 127.0.0.1:6381", "ASK"),
        ("NOREPLICAS Not enough good replicas to write. script: 5c, on @user_script:1.", "NOREPLICAS"),
        ("EXECABORT Transaction discarded because of: OOM command not allowed", "OOM"),
        ("ERR ACL failure in script: User default has no permissions to run the 'set' command", "NOPERM"),
    ],
)
def test_every_refusal_is_recognised_by_its_code(reply: str, code: str) -> None:
    found = unavailability(PARSED(reply))
    assert isinstance(found, StoreRefuses)
    assert str(found).startswith(f"{code} ")


@pytest.mark.parametrize(
    "reply",
    ["ERR unknown command", "WRONGTYPE Operation against a key", "NOSCRIPT No matching script.", "NOGROUP No such key",
     "EXECABORT Transaction discarded because of previous errors.", "CROSSSLOT Keys in request"],
)  # fmt: skip
def test_a_wrong_command_is_no_refusal(reply: str) -> None:
    assert unavailability(PARSED(reply)) is None

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from realtime.contract.rate_limit import RateLimit
from realtime.redis.lua_script import LuaScript
from realtime.redis.pipelined_connection import PipelinedConnection

SLOW = RateLimit(count=1, per_s=600)


@pytest.fixture
async def connection(redis: Redis) -> AsyncIterator[PipelinedConnection]:
    pipelined = PipelinedConnection(redis)
    yield pipelined
    await pipelined.stop()


async def test_a_script_runs_on_a_server_that_has_never_seen_it(connection: PipelinedConnection) -> None:
    await connection.send("SCRIPT", "FLUSH")
    script = LuaScript("gcra")
    assert await script.run(connection, ["key"], SLOW.interval_us, SLOW.tolerance_us, 1) == []
    assert await script.run(connection, ["key"], SLOW.interval_us, SLOW.tolerance_us, 1) != []


async def test_runs_are_answered_in_their_order_and_each_happens_once(connection: PipelinedConnection) -> None:
    await connection.send("SCRIPT", "FLUSH")
    arguments = (SLOW.interval_us, SLOW.tolerance_us, 1)
    calls = [([key], arguments) for key in ("a", "b", "a", "c")]
    answers = await LuaScript("gcra").run_many(connection, calls)
    assert [answer == [] for answer in answers] == [True, True, False, True]


async def test_an_error_of_the_script_is_raised(connection: PipelinedConnection) -> None:
    with pytest.raises(ResponseError):
        await LuaScript("gcra").run(connection, ["key"], "not a number", 1, 1)

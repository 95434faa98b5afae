from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from realtime.redis.client import StoreUnavailable
from realtime.redis.pipelined_connection import MAX_COMMANDS_PER_WRITE, PipelinedConnection
from tests.kit.services import Valkey


@pytest.fixture
async def connection(redis: Redis) -> AsyncIterator[PipelinedConnection]:
    pipelined = PipelinedConnection(redis)
    yield pipelined
    await pipelined.stop()


async def until_it_answers(connection: PipelinedConnection) -> None:
    """Waits until the connection is made again by itself."""
    async with asyncio.timeout(10):
        while True:
            try:
                await connection.send("PING")
                return
            except StoreUnavailable:
                await asyncio.sleep(0.01)


async def test_each_caller_gets_its_own_answer(connection: PipelinedConnection) -> None:
    numbers = range(3 * MAX_COMMANDS_PER_WRITE)
    answers = await asyncio.gather(*(connection.send("ECHO", number) for number in numbers))
    assert answers == [b"%d" % number for number in numbers]


async def test_commands_take_effect_in_the_order_of_the_calls(connection: PipelinedConnection) -> None:
    await asyncio.gather(*(connection.send("RPUSH", "list", number) for number in range(2_500)))
    assert await connection.send("LRANGE", "list", 0, -1) == [b"%d" % number for number in range(2_500)]


async def test_commands_of_one_call_are_sent_together(connection: PipelinedConnection) -> None:
    async def add() -> None:
        await connection.send_many([("MULTI",), ("INCR", "a"), ("INCR", "b"), ("EXEC",)])

    await asyncio.gather(*(add() for _ in range(600)))
    assert await connection.send_many([("GET", "a"), ("GET", "b")]) == [b"600", b"600"]


async def test_simultaneous_calls_are_sent_together(connection: PipelinedConnection, redis: Redis) -> None:
    await connection.send("PING")
    before = (await redis.info("stats"))["total_reads_processed"]
    await asyncio.gather(*(connection.send("ECHO", number) for number in range(100)))
    after = (await redis.info("stats"))["total_reads_processed"]
    assert after - before < 10


async def test_an_error_of_one_command_stays_its_own(connection: PipelinedConnection) -> None:
    await connection.send("SET", "text", "word")
    wrong, right = await connection.send_many([("INCR", "text"), ("GET", "text")])
    assert isinstance(wrong, ResponseError)
    assert right == b"word"
    with pytest.raises(ResponseError):
        await connection.send("INCR", "text")


async def test_calls_fail_at_once_in_an_outage_and_succeed_after_it(
    connection: PipelinedConnection, valkey: Valkey
) -> None:
    await connection.send("PING")
    await asyncio.to_thread(valkey.stop)
    with pytest.raises(StoreUnavailable):
        await connection.send("PING")
    for _ in range(1_000):  # each would cost a connection attempt if it were not known by now
        with pytest.raises(StoreUnavailable):
            await connection.send("PING")
    await asyncio.to_thread(valkey.start)
    await until_it_answers(connection)


async def test_a_restart_while_idle_is_not_noticed(connection: PipelinedConnection, valkey: Valkey) -> None:
    await connection.send("PING")
    await asyncio.to_thread(valkey.restart)
    assert await connection.send("PING") == b"PONG"


async def test_a_server_that_is_silent_fails_the_call_in_time(redis: Redis) -> None:
    connection = PipelinedConnection(redis, timeout_s=0.1)
    await connection.send("PING")
    await redis.client_pause(700)
    with pytest.raises(StoreUnavailable):  # it would have been answered in the end
        await connection.send("PING")
    await until_it_answers(connection)
    await connection.stop()


async def test_a_caller_that_gives_up_does_not_shift_the_answers_of_others(connection: PipelinedConnection) -> None:
    calls = [asyncio.create_task(connection.send("ECHO", number)) for number in range(10)]
    await asyncio.sleep(0)
    calls[3].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(answers.pop(3), asyncio.CancelledError)
    assert answers == [b"%d" % number for number in range(10) if number != 3]


async def test_stopping_fails_unanswered_calls(connection: PipelinedConnection) -> None:
    call = asyncio.create_task(connection.send("PING"))
    await asyncio.sleep(0)
    await connection.stop()
    with pytest.raises(StoreUnavailable):
        await call


async def test_a_stopped_connection_stays_stopped(connection: PipelinedConnection) -> None:
    await connection.stop()
    with pytest.raises(StoreUnavailable):
        await connection.send("PING")


async def test_a_blocked_event_loop_is_not_taken_for_an_outage(redis: Redis) -> None:
    connection = PipelinedConnection(redis, timeout_s=0.04)
    await until_it_answers(connection)

    async def be_busy() -> None:
        while True:
            time.sleep(0.06)  # noqa: ASYNC251  # the loop stands still for longer than an answer may take
            await asyncio.sleep(0)

    busy = asyncio.create_task(be_busy())
    try:
        for _ in range(10):
            assert await connection.send("PING") == b"PONG"
    finally:
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        await connection.stop()

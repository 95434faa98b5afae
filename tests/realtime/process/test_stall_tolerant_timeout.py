from __future__ import annotations

import asyncio
import time

import pytest

from realtime.process.stall_tolerant_timeout import stall_tolerant_timeout


async def test_a_block_that_takes_too_long_times_out() -> None:
    with pytest.raises(TimeoutError):
        async with stall_tolerant_timeout(0.02):
            await asyncio.Event().wait()


async def test_a_block_that_ends_in_time_is_not_touched() -> None:
    async with stall_tolerant_timeout(0.02):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)  # no timeout fires afterwards


async def test_time_in_which_the_loop_was_blocked_does_not_count() -> None:
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, time.sleep, 0.2)
    asyncio.get_running_loop().call_later(0.002, answer.set_result, "long there")
    async with stall_tolerant_timeout(0.05):
        assert await answer == "long there"


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def wait() -> None:
        async with stall_tolerant_timeout(60.0):
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

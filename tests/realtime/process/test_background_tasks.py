from __future__ import annotations

import asyncio

import pytest

from realtime.process.background_tasks import end_task


async def test_a_task_has_ended_when_end_task_returns() -> None:
    steps = []

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await end_task(task)
    assert (task.cancelled(), steps) == (True, ["cleaned up"])
    await end_task(task)
    await end_task(None)


async def test_the_error_of_a_task_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("broken")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="broken"):
        await end_task(task)


async def test_a_cancelled_caller_does_not_take_that_for_the_end_of_the_task() -> None:
    ending = asyncio.Event()

    async def linger() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            await ending.wait()

    task = asyncio.create_task(linger())
    await asyncio.sleep(0)
    caller = asyncio.create_task(end_task(task))
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert not task.done()
    ending.set()
    await task

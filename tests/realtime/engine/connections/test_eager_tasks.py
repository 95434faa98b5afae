"""What a coroutine finds is the same whether it waits or not: its task, its context, timeouts and cancellation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextvars import ContextVar
from typing import Any

import pytest

from realtime.engine.connections.eager_tasks import EagerTasks

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


async def finish(work: Awaitable[None]) -> None:
    await work


@pytest.fixture
async def steps() -> AsyncIterator[EagerTasks]:
    """With a task that stands ready."""
    steps = EagerTasks()
    await until_ready(steps)
    yield steps
    steps.stop()
    await asyncio.sleep(0)


async def until_ready(steps: EagerTasks) -> None:
    async def nothing() -> None: ...

    task = steps.start(nothing(), finish)
    if task is not None:
        await task
    await asyncio.sleep(0)


async def test_a_coroutine_that_does_not_wait_is_done_at_once_in_a_task_of_its_own(steps: EagerTasks) -> None:
    found: list[asyncio.Task[Any] | None] = []

    async def work() -> None:
        found.append(asyncio.current_task())

    caller = asyncio.current_task()
    assert steps.start(work(), finish) is None
    assert found[0] not in (None, caller) and asyncio.current_task() is caller


async def test_a_coroutine_that_waits_continues_in_its_first_task_and_context(steps: EagerTasks) -> None:
    found: list[object] = []

    async def work() -> None:
        NAME.set("it")
        for _ in range(2):
            found.extend((asyncio.current_task(), NAME.get()))
            await asyncio.sleep(0)

    task = steps.start(work(), finish)
    assert task is not None and found == [task, "it"] and NAME.get() == "nobody"
    await task
    assert found == [task, "it", task, "it"]


async def test_one_does_not_see_what_another_has_set(steps: EagerTasks) -> None:
    found: list[str] = []

    async def work() -> None:
        found.append(NAME.get())
        NAME.set("it")

    assert steps.start(work(), finish) is None
    assert steps.start(work(), finish) is None
    assert found == ["nobody", "nobody"]


async def test_several_that_wait_in_one_turn_all_continue(steps: EagerTasks) -> None:
    authenticator = asyncio.Event()
    done: list[int] = []

    async def work(number: int) -> None:
        await authenticator.wait()
        done.append(number)

    tasks = [steps.start(work(number), finish) for number in range(3)]
    await asyncio.sleep(0)
    authenticator.set()
    await asyncio.gather(*(task for task in tasks if task is not None))
    assert sorted(done) == [0, 1, 2]


async def test_a_timeout_ends_the_wait_and_nothing_else(steps: EagerTasks) -> None:
    said: list[str] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.Event().wait()
        except TimeoutError:
            said.append("late")
        await asyncio.sleep(0)
        said.append("went on")

    task = steps.start(work(), finish)
    assert task is not None
    await task
    assert said == ["late", "went on"]


@pytest.mark.parametrize("turns", [0, 1, 3])
async def test_a_cancellation_comes_where_it_waits_also_before_its_task_has_begun(
    steps: EagerTasks, turns: int
) -> None:
    said: list[object] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            current = asyncio.current_task()
            assert current is not None
            said.extend((current, current.cancelling()))
            raise

    task = steps.start(work(), finish)
    assert task is not None
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert said == [task, 1]


async def test_a_failure_before_the_first_wait_is_raised_at_the_caller(steps: EagerTasks) -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        steps.start(work(), finish)
    await until_ready(steps)
    await test_a_coroutine_that_waits_continues_in_its_first_task_and_context(steps)


async def test_a_first_step_that_cancels_its_own_task_is_cancelled_where_it_waits(steps: EagerTasks) -> None:
    async def work() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.Event().wait()

    task = steps.start(work(), finish)
    assert task is not None
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nothing_is_left_when_it_has_stopped() -> None:
    before = asyncio.all_tasks()
    steps = EagerTasks()
    await until_ready(steps)
    assert len(asyncio.all_tasks() - before) == 1
    steps.stop()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before

    async def work() -> None:
        await asyncio.sleep(0)

    task = steps.start(work(), finish)
    assert task is not None
    await task
    assert asyncio.all_tasks() == before

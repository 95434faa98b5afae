"""Runs coroutines at once up to their first wait: one that does not wait costs no task."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any

Work = Coroutine[Any, Any, None]
Finish = Callable[[Awaitable[None]], Work]


class EagerTasks:
    """Runs the first step of a coroutine inside a task made before; if it has to wait, that task runs the rest.

    So `asyncio.current_task()`, timeouts and cancellation work inside the coroutine as in any task. One task is kept
    ready; a coroutine that is started before the next one is ready gets an ordinary task.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready: _ReadyTask | None = None
        self._stopped = False

    def start(self, work: Work, finish: Finish) -> asyncio.Task[None] | None:
        """Runs `work`. None: it is done. Else the task that continues it inside `finish(...)`, which has to await it.

        Raises what the work raises before it waits.
        """
        loop, ready = self._loop, self._ready
        if ready is None or not ready.is_waiting or ready.is_used:
            if ready is None or ready.is_used:
                self._prepare()
            return loop.create_task(finish(work))
        context, task = copy_context(), ready.task
        caller = asyncio.current_task(loop)
        if caller is not None:
            _leave_task(loop, caller)
        _enter_task(loop, task)
        try:
            awaited = context.run(work.send, None)
        except StopIteration:
            return None
        finally:
            _leave_task(loop, task)
            if caller is not None:
                _enter_task(loop, caller)
        self._prepare()
        ready.assign(finish(_StartedCoroutine(work, context, awaited)))
        return task

    def stop(self) -> None:
        """Keeps no task ready any more; coroutines that wait continue."""
        self._stopped = True
        if self._ready is not None:
            self._ready.task.cancel()
            self._ready = None

    def _prepare(self) -> None:
        self._ready = None if self._stopped else _ReadyTask(self._loop)


class _ReadyTask:
    """A task that waits for the rest of a coroutine whose first step ran inside it."""

    __slots__ = ("_assigned", "_rest", "is_waiting", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._assigned: asyncio.Future[None] = loop.create_future()
        self._rest: Work | None = None
        self.is_waiting = False
        self.task = loop.create_task(self._run())

    @property
    def is_used(self) -> bool:
        return self._assigned.done()

    def assign(self, rest: Work) -> None:
        self._rest = rest
        # The first step may have cancelled its own task.
        if not self._assigned.done():
            self._assigned.set_result(None)

    async def _run(self) -> None:
        self.is_waiting = True
        try:
            await self._assigned
        except asyncio.CancelledError:
            if self._rest is None:
                raise
            # The cancellation is meant for the coroutine: it is raised where that waits.
            self.task.uncancel()
            asyncio.get_running_loop().call_soon(self.task.cancel)
        if self._rest is not None:
            await self._rest


class _StartedCoroutine:
    """The rest of a coroutine that waits for `awaited`."""

    __slots__ = ("_awaited", "_context", "_work")

    def __init__(self, work: Work, context: Context, awaited: object) -> None:
        self._work = work
        self._context = context
        self._awaited = awaited

    def __await__(self) -> Generator[object, Any, None]:
        awaited, work, resume = self._awaited, self._work, self._context.run
        while True:
            value: object = None
            failure: BaseException | None = None
            try:
                value = yield awaited
            except BaseException as error:
                failure = error
            try:
                awaited = resume(work.send, value) if failure is None else resume(work.throw, failure)
            except StopIteration:
                return

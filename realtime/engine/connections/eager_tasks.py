"""Runs coroutines at once up to where they first wait: what does not wait costs no task."""

from __future__ import annotations

import asyncio
from asyncio.tasks import _enter_task, _leave_task
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Any

Work = Coroutine[Any, Any, None]
Finish = Callable[[Awaitable[None]], Work]


class EagerTasks:
    """Takes first steps in the name of a task that stands ready and becomes the coroutine's own if it has to wait.

    So `asyncio.current_task()`, timeouts and cancellation mean inside a coroutine what they mean in any task. One task
    stands ready; a coroutine that begins before the next one does gets an ordinary task.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready: _ReadyTask | None = None
        self._stopped = False

    def take(self, work: Work, finish: Finish) -> asyncio.Task[None] | None:
        """Runs `work`. None: it is done. Else the task that goes on with it, in `finish(...)`, which has to await it.

        Raises what the work raises before it waits.
        """
        loop, ready = self._loop, self._ready
        if ready is None or not ready.waits or ready.is_used:
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
        ready.give(finish(_Begun(work, context, awaited)))
        return task

    def stop(self) -> None:
        """No task stands ready any more; what waits goes on."""
        self._stopped = True
        if self._ready is not None:
            self._ready.task.cancel()
            self._ready = None

    def _prepare(self) -> None:
        self._ready = None if self._stopped else _ReadyTask(self._loop)


class _ReadyTask:
    """A task that `waits` for the rest of a coroutine whose first step was taken in its name."""

    __slots__ = ("_given", "_rest", "task", "waits")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._given: asyncio.Future[None] = loop.create_future()
        self._rest: Work | None = None
        self.waits = False
        self.task = loop.create_task(self._run())

    @property
    def is_used(self) -> bool:
        return self._given.done()

    def give(self, rest: Work) -> None:
        self._rest = rest
        # The first step may have cancelled its own task.
        if not self._given.done():
            self._given.set_result(None)

    async def _run(self) -> None:
        self.waits = True
        try:
            await self._given
        except asyncio.CancelledError:
            if self._rest is None:
                raise
            # Meant for the coroutine, and told to it where it waits.
            self.task.uncancel()
            asyncio.get_running_loop().call_soon(self.task.cancel)
        if self._rest is not None:
            await self._rest


class _Begun:
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

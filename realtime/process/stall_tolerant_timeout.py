"""A timeout that does not count the time in which this process was too busy to notice the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_STEPS = 4


@asynccontextmanager
async def stall_tolerant_timeout(timeout_s: float) -> AsyncIterator[None]:
    """Raises TimeoutError where the block takes longer; time in which the event loop was blocked does not count.

    After such a time a plain timeout would expire before the loop has read an answer that arrived long before.
    """
    loop = asyncio.get_running_loop()
    step_s = timeout_s / _STEPS
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def step(due_s: float, steps_left: int) -> None:
            nonlocal timer
            now_s = loop.time()
            # A timer that fires a whole step late shows that the loop was blocked: that step does not count.
            if now_s - due_s < step_s:
                steps_left -= 1
            if steps_left:
                timer = loop.call_at(now_s + step_s, step, now_s + step_s, steps_left)
            else:
                limit.reschedule(now_s)

        timer = loop.call_later(step_s, step, loop.time() + step_s, _STEPS)
        try:
            yield
        finally:
            timer.cancel()

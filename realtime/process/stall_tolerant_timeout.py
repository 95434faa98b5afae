"""Time limits for others that this process does not use up by being busy itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_LOOKS = 4


@asynccontextmanager
async def lenient_timeout(timeout_s: float) -> AsyncIterator[None]:
    """Raises TimeoutError where the block takes longer; time in which the event loop stood still does not count.

    A plain timeout would throw away an answer that has long arrived, only because nobody had time to read it.
    """
    loop = asyncio.get_running_loop()
    step_s = timeout_s / _LOOKS
    timer: asyncio.TimerHandle
    async with asyncio.timeout(None) as limit:

        def look(due_s: float, looks_left: int) -> None:
            nonlocal timer
            now_s = loop.time()
            if now_s - due_s < step_s:
                looks_left -= 1
            if looks_left:
                timer = loop.call_at(now_s + step_s, look, now_s + step_s, looks_left)
            else:
                limit.reschedule(now_s)

        timer = loop.call_later(step_s, look, loop.time() + step_s, _LOOKS)
        try:
            yield
        finally:
            timer.cancel()

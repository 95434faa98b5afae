"""Fails a test that leaves a task behind or causes an unhandled error in its event loop."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

_SETTLE_S = 1.0


@asynccontextmanager
async def watched_loop() -> AsyncIterator[None]:
    """Wraps a test: its tasks must end soon after it, and the loop's exception handler must not be called."""
    loop = asyncio.get_running_loop()
    before = asyncio.all_tasks()
    complaints: list[dict[str, Any]] = []
    usual = loop.get_exception_handler()
    loop.set_exception_handler(lambda _, complaint: complaints.append(complaint))
    try:
        yield
        deadline = time.monotonic() + _SETTLE_S
        while (left := asyncio.all_tasks() - before - {asyncio.current_task()}) and time.monotonic() < deadline:
            await asyncio.sleep(0.005)  # a cancelled task needs some turns of the loop
    finally:
        loop.set_exception_handler(usual)
    assert not left, f"tasks left over: {[task.get_coro() for task in left]}"
    assert not complaints, f"the loop's exception handler was called: {complaints}"

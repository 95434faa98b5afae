"""Ends tasks that work in the background."""

from __future__ import annotations

import asyncio


async def end_task(task: asyncio.Task[None] | None) -> None:
    """Cancels the task and waits until it has ended; None: there is none.

    Raises what the task failed with. A caller that is cancelled itself waits no longer.
    """
    if task is None:
        return
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()

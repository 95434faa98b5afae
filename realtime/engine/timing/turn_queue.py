"""Spreads actions for thousands of clients, which are due in one moment, over many turns of the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

_PER_TURN = 64


class TurnQueue:
    """Runs actions in order, some in each turn. Tasks that exist when an action is put take a step before it runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._new: deque[Callable[[], None]] = deque()
        self._ready: deque[Callable[[], None]] = deque()

    def put(self, action: Callable[[], None]) -> None:
        if not self._new and not self._ready:
            self._loop.call_soon(self._run)
        self._new.append(action)

    async def emptied(self) -> None:
        """Returns when all actions have run."""
        while self._new or self._ready:
            await asyncio.sleep(0)

    def _run(self) -> None:
        try:
            for _ in range(min(len(self._ready), _PER_TURN)):
                self._ready.popleft()()
        finally:
            if not self._ready:
                # The new actions may be of this very turn, and tasks that were created before them have not run yet.
                self._ready, self._new = self._new, self._ready
            if self._ready:
                self._loop.call_soon(self._run)

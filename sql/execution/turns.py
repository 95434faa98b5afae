"""A queue for something of which there are only so many."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final, NamedTuple

from sql.errors import Unavailable

EARLY_S: Final = 0.001
"""How much too early a timer of the loop may fire."""


class Patience(NamedTuple):
    """How long somebody waits for a turn."""

    stalled_s: float
    """While nobody gets one."""
    in_all_s: float
    """While others, who came earlier, get theirs."""


class Turns:
    """Gives a turn to at most `count` at a time. The others wait in a queue: whoever came first is next.

    A turn that is given back belongs to the next one in the queue at once, so nobody who comes later takes it away.
    """

    def __init__(self, count: int) -> None:
        self._free = count
        self._queue: deque[_Waiting] = deque()
        self._moved_s = 0.0

    def take_free(self) -> bool:
        """Takes a turn without waiting; False where there is none."""
        if not self._free:
            return False
        self._free -= 1
        return True

    async def wait(self, patience: Patience) -> None:
        """Waits for a turn. Raises Unavailable where it does not come in time."""
        waiting = _Waiting(asyncio.get_running_loop(), patience)
        self._queue.append(waiting)
        self._look_at(waiting)
        try:
            await waiting.turn
        except asyncio.CancelledError:
            if waiting.turn.done() and not waiting.turn.cancelled() and waiting.turn.exception() is None:
                self.give_back()
            raise
        finally:
            if waiting.timer is not None:
                waiting.timer.cancel()

    def give_back(self) -> None:
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.turn.done():
                self._moved_s = waiting.loop.time()
                waiting.turn.set_result(None)
                return
        self._free += 1

    def _look_at(self, waiting: _Waiting) -> None:
        """Ends a wait that is over, and comes back when it may be: the queue may have moved by then."""
        if waiting.turn.done():
            return
        patience = waiting.patience
        stalled_since_s = max(waiting.since_s, self._moved_s)
        end_s = min(stalled_since_s + patience.stalled_s, waiting.since_s + patience.in_all_s)
        if waiting.loop.time() + EARLY_S < end_s:
            waiting.timer = waiting.loop.call_at(end_s, self._look_at, waiting)
        else:
            waiting.turn.set_exception(Unavailable("too many wait for PostgreSQL at this moment"))


class _Waiting:
    __slots__ = ("loop", "patience", "since_s", "timer", "turn")

    def __init__(self, loop: asyncio.AbstractEventLoop, patience: Patience) -> None:
        self.loop = loop
        self.patience = patience
        self.since_s = loop.time()
        self.turn: asyncio.Future[None] = loop.create_future()
        self.timer: asyncio.TimerHandle | None = None

"""Actions that wait for the end of the policy's present work on a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class IdleActions:
    """Runs actions once, in order, when its owner says so or when a time limit is reached."""

    __slots__ = ("_actions", "_timer")

    def __init__(self) -> None:
        self._actions: list[Callable[[], None]] = []
        self._timer: asyncio.TimerHandle | None = None

    def add(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    def set_limit(self, limit_s: float, on_limit: Callable[[], None]) -> None:
        """Calls `on_limit` when they have not run or been dropped in time; the first limit counts."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(limit_s, on_limit)

    def run(self) -> None:
        self.drop()
        for action in self._actions:
            action()

    def drop(self) -> None:
        """Ends the time limit."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

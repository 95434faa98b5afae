"""Delays of one length for any number of items, on one timer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_EARLY = 0.01
"""Items are due one to two times this part of their delay too early: neighbours share a wake-up, and none is late."""
_PER_WAKE = 256

T = TypeVar("T")


class DelayLine(Generic[T]):
    """Calls `on_due` with each item when its delay of `delay_s` is over, one or two hundredths of it early.

    All delays have the same length, so that the line is always in order of time. `on_due` must not raise.
    """

    def __init__(self, delay_s: float, on_due: Callable[[T], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._delay_s = delay_s
        self._early_s = delay_s * _EARLY
        self._on_due = on_due
        self._due_at: dict[T, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    def put(self, item: T) -> None:
        """Starts the item's delay, anew if it waits already."""
        self._due_at.pop(item, None)
        due_at = self._due_at[item] = self._loop.time() + self._delay_s
        if self._timer is None:
            self._wake_for(due_at)

    def discard(self, item: T) -> None:
        """Removes the item if it waits."""
        self._due_at.pop(item, None)
        if not self._due_at and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def waiting(self) -> tuple[T, ...]:
        """A snapshot of the items that wait, the next one to be due first."""
        return tuple(self._due_at)

    def _wake(self) -> None:
        until = self._loop.time() + 2 * self._early_s
        due: list[T] = []
        next_at: float | None = None
        for item, due_at in self._due_at.items():
            if due_at > until or len(due) == _PER_WAKE:
                next_at = due_at
                break
            due.append(item)
        self._timer = None
        if next_at is not None:
            self._wake_for(next_at)
        for item in due:
            # `on_due` of one item may remove another.
            if self._due_at.pop(item, None) is not None:
                self._on_due(item)
        if self._due_at and self._timer is None:
            self._wake_for(next(iter(self._due_at.values())))

    def _wake_for(self, due_at: float) -> None:
        self._timer = self._loop.call_at(due_at - self._early_s, self._wake)

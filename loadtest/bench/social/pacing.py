"""Sends at a fixed rate, whatever the answers do: times count from when something was due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Final

_TICK_S: Final = 0.001
_AT_ONCE: Final = 64
"""After so many, answers are read, also by a generator that is late."""


async def paced(rate: float, for_s: float, send: Callable[[int, float], None]) -> list[float]:
    """Calls `send` with a number and the time at which it was due (`time.perf_counter`), so often a second.

    Returns how many seconds late each call was: a generator without CPU time measures itself.
    """
    late_s: list[float] = []
    count, began_s = round(rate * for_s), time.perf_counter() + _TICK_S
    while (number := len(late_s)) < count:
        due_count = min(count, number + _AT_ONCE, int((time.perf_counter() - began_s) * rate) + 1)
        for now in range(number, due_count):
            due_s = began_s + now / rate
            late_s.append(time.perf_counter() - due_s)
            send(now, due_s)
        await asyncio.sleep(0 if due_count - number == _AT_ONCE else _TICK_S)
    return late_s


class Outstanding:
    """Counts what was sent and is not answered yet."""

    def __init__(self) -> None:
        self._count = 0
        self._empty = asyncio.Event()
        self._empty.set()

    def add(self) -> None:
        self._count += 1
        self._empty.clear()

    def remove(self) -> None:
        self._count -= 1
        if not self._count:
            self._empty.set()

    async def until_empty(self) -> None:
        await self._empty.wait()

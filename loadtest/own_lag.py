"""How late the load generator itself is: what it measures is too high by about as much."""

from __future__ import annotations

import time

import gevent

TICK_S = 0.01


class OwnLag:
    """Wakes up all the time and notes how late it was."""

    def __init__(self) -> None:
        self._late_ms: list[float] = []
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Begins anew."""
        self.stop()
        self._late_ms = []
        self._greenlet = gevent.spawn(self._watch)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def percentile_ms(self, part: float) -> float:
        """What it was late at most in this part of the time (0 to 1); 0 before anything was measured."""
        ordered = sorted(self._late_ms)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

    def _watch(self) -> None:
        while True:
            started_s = time.perf_counter()
            gevent.sleep(TICK_S)
            self._late_ms.append((time.perf_counter() - started_s - TICK_S) * 1000)

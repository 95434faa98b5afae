"""The lag of the load generator itself: its measurements are too high by about as much."""

from __future__ import annotations

import time

import gevent

TICK_S = 0.01


class GeneratorLag:
    """Sleeps for short times again and again, and records how late it woke up."""

    def __init__(self) -> None:
        self._late_ms: list[float] = []
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def start(self) -> None:
        """Starts or restarts measuring."""
        self.stop()
        self._late_ms = []
        self._greenlet = gevent.spawn(self._watch)

    def stop(self) -> None:
        if self._greenlet is not None:
            self._greenlet.kill()
            self._greenlet = None

    def percentile_ms(self, part: float) -> float:
        """The lag that this share (0 to 1) of the samples did not exceed; 0 without samples."""
        ordered = sorted(self._late_ms)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0

    def _watch(self) -> None:
        while True:
            started_s = time.perf_counter()
            gevent.sleep(TICK_S)
            self._late_ms.append((time.perf_counter() - started_s - TICK_S) * 1000)

"""Notices clients that are gone without a word."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Heartbeat:
    """Asks a client for a sign of life `interval_ms` after the last one, and waits `timeout_ms` for it.

    `excused` tells that the client cannot be heard now through our fault: then the wait starts again.
    """

    def __init__(
        self,
        *,
        interval_ms: int,
        timeout_ms: int,
        ask: Callable[[], None],
        excused: Callable[[], bool],
        on_silence: Callable[[], None],
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._interval_s = interval_ms / 1000
        self._timeout_s = timeout_ms / 1000
        self._ask = ask
        self._excused = excused
        self._on_silence = on_silence
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Also takes a sign of life: the next question is due one interval from now."""
        self.stop()
        self._timer = self._loop.call_later(self._interval_s, self._question)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _question(self) -> None:
        self._timer = self._loop.call_later(self._timeout_s, self._judge)
        self._ask()

    def _judge(self) -> None:
        if self._excused():
            self._timer = self._loop.call_later(self._timeout_s, self._judge)
        else:
            self._timer = None
            self._on_silence()

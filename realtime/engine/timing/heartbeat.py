"""Notices clients that are gone without a word."""

from __future__ import annotations

from typing import Protocol

from realtime.engine.timing.delay_line import DelayLine

_EARLY = 0.02
"""The part of its interval by which a question comes early: a busy loop asks late, and whoever is silent is not to
outstay the time that the handshake tells."""


class Watched(Protocol):
    """A client that is asked for signs of life."""

    def ask(self) -> None: ...

    @property
    def excused(self) -> bool:
        """True while it cannot be heard through our fault: then the wait starts again."""

    def fall_silent(self) -> None:
        """It did not answer in time; it is not watched any more."""


class Heartbeat:
    """Asks each client for a sign of life almost `interval_ms` after its last one, and waits `timeout_ms` for it.

    One for all clients: watching one costs two entries and no timer of its own.
    """

    def __init__(self, *, interval_ms: int, timeout_ms: int) -> None:
        self._resting: DelayLine[Watched] = DelayLine(interval_ms * (1 - _EARLY) / 1000, self._question)
        self._asked: DelayLine[Watched] = DelayLine(timeout_ms / 1000, self._judge)

    def hear(self, client: Watched) -> None:
        """Takes a sign of life, the first one too: the next question is due one interval from now."""
        self._asked.discard(client)
        self._resting.put(client)

    def forget(self, client: Watched) -> None:
        self._resting.discard(client)
        self._asked.discard(client)

    def _question(self, client: Watched) -> None:
        self._asked.put(client)
        client.ask()

    def _judge(self, client: Watched) -> None:
        if client.excused:
            self._asked.put(client)
        else:
            client.fall_silent()

"""Finds clients that are gone without having closed their connection."""

from __future__ import annotations

from typing import Protocol

from realtime.engine.timing.delay_line import DelayLine

_EARLY = 0.02
"""The part of its interval by which a ping is early: a busy loop is late, and a client that does not answer must not
stay connected longer than the handshake says."""


class PingedClient(Protocol):
    """A client that has to answer pings."""

    def ping(self) -> None: ...

    @property
    def pong_may_be_unread(self) -> bool:
        """True while the server does not read all that the client sent: then the time limit starts anew."""

    def ping_timed_out(self) -> None:
        """The client did not answer in time; it is not pinged any more."""


class Heartbeat:
    """Pings each client almost `interval_ms` after its last pong, and waits `timeout_ms` for the next.

    One for all clients: a client costs two entries and no timer of its own.
    """

    def __init__(self, *, interval_ms: int, timeout_ms: int) -> None:
        self._resting: DelayLine[PingedClient] = DelayLine(interval_ms * (1 - _EARLY) / 1000, self._ping)
        self._pinged: DelayLine[PingedClient] = DelayLine(timeout_ms / 1000, self._check_pong)

    def restart(self, client: PingedClient) -> None:
        """Starts the interval of a client, at its beginning and at each pong."""
        self._pinged.discard(client)
        self._resting.put(client)

    def remove(self, client: PingedClient) -> None:
        self._resting.discard(client)
        self._pinged.discard(client)

    def _ping(self, client: PingedClient) -> None:
        self._pinged.put(client)
        client.ping()

    def _check_pong(self, client: PingedClient) -> None:
        if client.pong_may_be_unread:
            self._pinged.put(client)
        else:
            client.ping_timed_out()

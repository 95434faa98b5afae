"""The long-polling transport: packets that a client has yet to fetch, and the request that waits for them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Literal

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import CLOSE, NOOP, Outgoing, encode_payload

MAX_PACKETS_PER_ANSWER = 16
"""The official Python client drops a connection whose answer holds more."""


class PollingState(Enum):
    OPEN = "open"
    UPGRADING = "upgrading"
    """The client probes a WebSocket: requests are answered at once, so that it can stop polling."""
    ENDED = "ended"
    """Nothing more is written; the client may still fetch what is unread."""


# Looking a member up in an Enum is slow, and these are compared for every packet.
_OPEN, _UPGRADING, _ENDED = PollingState.OPEN, PollingState.UPGRADING, PollingState.ENDED


class PollingTransport:
    """Keeps packets until the client fetches them, at most `max_unread_bytes` of them."""

    name: Literal["polling"] = "polling"

    def __init__(self, *, max_unread_bytes: int) -> None:
        self._max_unread_bytes = max_unread_bytes
        self._on_stalled: Callable[[], None] | None = None
        self._unread: deque[Outgoing] = deque()
        self._unread_bytes = 0
        self._waiter: asyncio.Future[None] | None = None
        self._state = _OPEN

    @property
    def waiting(self) -> bool:
        """True while a request waits for packets."""
        return self._waiter is not None

    @property
    def drained(self) -> bool:
        """True when it has ended and the client has fetched all packets."""
        return self._state is _ENDED and not self._unread

    @property
    def unread_bytes(self) -> int:
        return self._unread_bytes

    def call_when_stalled(self, action: Callable[[], None]) -> None:
        self._on_stalled = action

    def write(self, packet: Outgoing) -> None:
        if self._state is _ENDED:
            return
        size_bytes = len(packet.payload)
        if self._unread and self._unread_bytes + size_bytes > self._max_unread_bytes:
            if self._on_stalled is not None:
                self._on_stalled()
            return
        self._unread.append(packet)
        self._unread_bytes += size_bytes
        self._wake()

    def close(self, reason: CloseReason) -> None:
        """The client gets a close packet after the unread ones; the reason cannot be told on this transport."""
        if self._state is not _ENDED:
            self._unread.append(Outgoing(CLOSE))
            self._state = _ENDED
            self._wake()

    def finish_close(self) -> None:
        self._state = _ENDED
        self._take_all()
        self._wake()

    def abort(self) -> None:
        self.finish_close()

    def pause_reading(self) -> None:
        """Does nothing: a body is read only after the one before it is handled."""

    def resume_reading(self) -> None:
        pass

    def begin_upgrade(self) -> None:
        """Answers requests at once from now on, so that the client can stop polling."""
        if self._state is _OPEN:
            self._state = _UPGRADING
        self._wake()

    def cancel_upgrade(self) -> None:
        if self._state is _UPGRADING:
            self._state = _OPEN

    def end_by_upgrade(self) -> list[Outgoing]:
        """Ends polling in favour of another transport; returns the packets that the client has not fetched."""
        unread = self._take_all()
        self._state = _ENDED
        self._wake()
        return unread

    async def fetch(self) -> bytes:
        """The body of the answer to a poll: waits until there is a packet. One call at a time."""
        if not self._unread and self._state is _OPEN:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if not self._unread:
            return NOOP
        packets = [self._unread.popleft().payload for _ in range(min(len(self._unread), MAX_PACKETS_PER_ANSWER))]
        self._unread_bytes -= sum(map(len, packets))
        return encode_payload(packets)

    def _take_all(self) -> list[Outgoing]:
        unread = list(self._unread)
        self._unread.clear()
        self._unread_bytes = 0
        return unread

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

"""The WebSockets of one engine: their limits, and the timers and queues that they share."""

from __future__ import annotations

import asyncio
from typing import Protocol

from realtime.engine.timing.delay_line import DelayLine
from realtime.engine.timing.turn_queue import TurnQueue

_CLOSE_WAIT_S = 2.0


class GroupedSocket(Protocol):
    def flush(self) -> None:
        """Writes the frames of this turn of the loop."""

    def abort(self) -> None: ...


class SocketGroup:
    """Flushes sockets once in a turn of the loop, and aborts those that do not finish closing.

    `close_queue` runs what follows when clients close sockets: thousands may do so in one moment.
    """

    def __init__(self, *, max_message_bytes: int, max_unread_bytes: int, max_frames_per_s: int) -> None:
        self.max_message_bytes = max_message_bytes
        self.max_unread_bytes = max_unread_bytes
        self.max_frames_per_s = max_frames_per_s
        self.loop = asyncio.get_running_loop()
        self.close_queue = TurnQueue()
        self._open: set[GroupedSocket] = set()
        self._none_open = asyncio.Event()
        self._unflushed: list[GroupedSocket] = []
        self._closing: DelayLine[GroupedSocket] = DelayLine(_CLOSE_WAIT_S, lambda socket: socket.abort())

    def add(self, socket: GroupedSocket) -> None:
        self._open.add(socket)
        self._none_open.clear()

    def remove(self, socket: GroupedSocket) -> None:
        """The socket is closed."""
        self._open.discard(socket)
        self._closing.discard(socket)
        if not self._open:
            self._none_open.set()

    def flush_soon(self, socket: GroupedSocket) -> None:
        if not self._unflushed:
            self.loop.call_soon(self._flush)
        self._unflushed.append(socket)

    def limit_close(self, socket: GroupedSocket) -> None:
        """Aborts the socket if it is not closed soon."""
        self._closing.put(socket)

    async def wait_closed(self, timeout_s: float) -> None:
        """Returns when no socket is open, or after the timeout."""
        if self._open:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._none_open.wait()
            except TimeoutError:
                pass  # the caller aborts the rest

    def abort_all(self) -> None:
        for socket in tuple(self._open):
            socket.abort()

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        unflushed.reverse()
        # Not iterated over: to free the whole list at the end would touch thousands of sockets once more.
        while unflushed:
            unflushed.pop().flush()

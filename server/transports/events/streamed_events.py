"""The transport of a stream of Server-Sent Events: what is to be written, in the format of the HTML standard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Literal

import orjson

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.protocol.json_events import JsonEvent
from server.transports.events.cursor import Position, moved, write_cursor


class StreamedEvents:
    """Events on their way to one client, each with the cursor after it as its id.

    A client that leaves more than `max_unread_bytes` unread, here and in the buffer of its socket, is cut off.
    """

    name: Literal["polling"] = "polling"

    def __init__(self, socket: asyncio.WriteTransport, *, max_unread_bytes: int) -> None:
        self._socket = socket
        self._max_unread_bytes = max_unread_bytes
        self._news = asyncio.Event()
        self._unwritten: list[bytes] = []
        self._before_start: list[JsonEvent] = []
        self._positions: Mapping[str, Position] | None = None
        self._offsets: dict[str, str] = {}
        self._on_stalled: Callable[[], None] | None = None
        self.is_closed = False
        """True when nothing more follows what is unwritten."""

    def start(self, positions: Mapping[str, Position], *, told: bytes) -> None:
        """Writes what the client is told first, and from now on each event with its cursor."""
        self._positions = positions
        self._add(told)
        for event in self._before_start:
            self.write(event)
        self._before_start.clear()

    def clear(self) -> None:
        """Drops all events before the start."""
        self._before_start.clear()

    def cursor(self) -> str:
        """The position after all events so far."""
        return write_cursor(moved(self._positions or {}, self._offsets))

    async def take(self, timeout_s: float) -> bytes:
        """All that is unwritten; waits for it, at most so long, where there is nothing. Empty: nothing came."""
        if not self._unwritten and not self.is_closed:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                return b""
        self._news.clear()
        taken = b"".join(self._unwritten)
        self._unwritten.clear()
        return taken

    def write(self, packet: Outgoing) -> None:
        """Takes the events of the connection; other packets mean nothing to a stream."""
        if not isinstance(packet, JsonEvent) or self.is_closed:
            return
        if self._positions is None:
            self._before_start.append(packet)
            return
        if packet.offset is not None:
            self._offsets[packet.namespace] = packet.offset
        self._add(event_text(packet.name, packet.payload, self.cursor()))

    @property
    def unread_bytes(self) -> int:
        return sum(map(len, self._unwritten)) + self._socket.get_write_buffer_size()

    def call_when_stalled(self, action: Callable[[], None]) -> None:
        self._on_stalled = action

    def close(self, reason: CloseReason) -> None:
        """Tells the client why, and whether it should come back."""
        if not self.is_closed:
            body = orjson.dumps({"code": reason.code, "reason": reason.reason, "reconnect": reason.reconnect})
            self._add(event_text("close", body))
            self.is_closed = True

    def finish_close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self.is_closed = True
        self._news.set()

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def cut_off(self) -> None:
        """Ends it for a client that does not read."""
        self._unwritten.clear()
        self.abort()
        self._socket.abort()
        if self._on_stalled is not None:
            self._on_stalled()

    def _add(self, text: bytes) -> None:
        unread_bytes = self.unread_bytes
        if unread_bytes and unread_bytes + len(text) > self._max_unread_bytes:
            self.cut_off()
            return
        self._unwritten.append(text)
        self._news.set()


def event_text(name: str, data: bytes, cursor: str | None = None) -> bytes:
    """One event. The data is JSON, so it has no line break."""
    head = f"event: {name}\n" if cursor is None else f"id: {cursor}\nevent: {name}\n"
    return head.encode() + b"data: " + data + b"\n\n"

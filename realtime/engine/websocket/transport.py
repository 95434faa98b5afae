"""The WebSocket transport's writing half: frames that leave together, a bound on what is unread, and the goodbye."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing, close_frame
from realtime.engine.websocket.socket_group import SocketGroup

_FLUSH_BYTES = 64 * 1024
_NORMAL_CLOSURE = 1000


class WebSocketTransport:
    """Writes to an upgraded socket. Frames of one loop tick leave in one write, and what answers a read leaves with it.

    Nothing is queued here beyond the tick: what the client has not read stands in the transport's own buffer, and that
    may hold the group's `max_unread_bytes`, beyond what `listen` lets the kernel hold. While it `_gathers`, whoever
    made it do so will flush it.
    """

    __slots__ = ("_closed", "_first", "_gathers", "_group", "_more", "_more_bytes", "_on_stalled", "_transport")

    name: Literal["websocket"] = "websocket"

    def __init__(self, transport: asyncio.Transport, group: SocketGroup) -> None:
        self._transport = transport
        self._group = group
        self._on_stalled: Callable[[], None] | None = None
        # Nearly always one frame leaves alone: it costs no list.
        self._first: bytes | None = None
        self._more: list[bytes] | None = None
        self._more_bytes = 0
        self._gathers = False
        self._closed = False
        group.add(self)

    @property
    def unread_bytes(self) -> int:
        return len(self._first or b"") + self._more_bytes + self._transport.get_write_buffer_size()

    def watch(self, on_stalled: Callable[[], None]) -> None:
        self._on_stalled = on_stalled

    def write(self, packet: Outgoing) -> None:
        if self._closed:
            return
        if self._first is None:
            self._first = packet.frame
            if not self._gathers:
                self._group.flush_soon(self)
        else:
            self._gather(packet.frame)

    def write_frame(self, frame: bytes) -> None:
        """Writes what is no Engine.IO packet."""
        self.write(Outgoing(b"", frame))

    def _gather(self, frame: bytes) -> None:
        if self._more is None:
            self._more = []
        self._more.append(frame)
        self._more_bytes += len(frame)
        if self._more_bytes > _FLUSH_BYTES:
            self.flush()

    def close(self, reason: CloseReason) -> None:
        """Sends the close frame; a client that does not answer it is cut off soon after."""
        if not self._closed:
            self._say_goodbye(close_frame(reason.code, reason.reason))
            self._group.expect_end(self)

    def release(self) -> None:
        self._say_goodbye(close_frame(_NORMAL_CLOSURE))
        self._finish()

    def abort(self) -> None:
        self._closed = True
        self._drop_gathered()
        self._transport.abort()

    def hold(self) -> None:
        """Reads nothing of the client until `go_on`."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def go_on(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def flush(self) -> None:
        """Writes what there is to write."""
        data = self._first
        if data is None:
            return
        if self._more is not None:
            data = b"".join((data, *self._more))
        self._drop_gathered()
        transport = self._transport
        if transport.is_closing():
            return
        unread_bytes = transport.get_write_buffer_size()
        if unread_bytes and unread_bytes + len(data) > self._group.max_unread_bytes:
            self.abort()
            if self._on_stalled is not None:
                self._on_stalled()
        else:
            transport.write(data)

    def _say_goodbye(self, frame: bytes) -> None:
        if not self._closed:
            self.write_frame(frame)
            self.flush()
            self._closed = True

    def _finish(self) -> None:
        """The socket is closed once the client has read what there is for it, or does not read on."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._group.expect_end(self)

    def _drop_gathered(self) -> None:
        self._first = None
        if self._more is not None:
            self._more = None
            self._more_bytes = 0

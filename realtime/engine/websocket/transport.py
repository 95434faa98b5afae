"""The writing half of the WebSocket transport: batches of frames, a bound on unread bytes, the close frame."""

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
    """Writes to an upgraded socket. Frames of one turn of the loop are sent in one write; answers to a read are sent at
    its end.

    Nothing is queued here beyond the turn: what the client has not read stands in the asyncio transport's buffer, which
    may hold the group's `max_unread_bytes`, beyond what `listen` lets the kernel hold. While `_is_batching`, the caller
    that set it flushes.
    """

    __slots__ = ("_closed", "_first", "_group", "_is_batching", "_more", "_more_bytes", "_on_stalled", "_transport")

    name: Literal["websocket"] = "websocket"

    def __init__(self, transport: asyncio.Transport, group: SocketGroup) -> None:
        self._transport = transport
        self._group = group
        self._on_stalled: Callable[[], None] | None = None
        # Nearly always a batch is one frame: it costs no list.
        self._first: bytes | None = None
        self._more: list[bytes] | None = None
        self._more_bytes = 0
        self._is_batching = False
        self._closed = False
        group.add(self)

    @property
    def unread_bytes(self) -> int:
        return len(self._first or b"") + self._more_bytes + self._transport.get_write_buffer_size()

    def call_when_stalled(self, action: Callable[[], None]) -> None:
        self._on_stalled = action

    def write(self, packet: Outgoing) -> None:
        if self._closed:
            return
        if self._first is None:
            self._first = packet.frame
            if not self._is_batching:
                self._group.flush_soon(self)
        else:
            self._add_to_batch(packet.frame)

    def write_frame(self, frame: bytes) -> None:
        """Writes a frame that is no Engine.IO packet."""
        self.write(Outgoing(b"", frame))

    def _add_to_batch(self, frame: bytes) -> None:
        if self._more is None:
            self._more = []
        self._more.append(frame)
        self._more_bytes += len(frame)
        if self._more_bytes > _FLUSH_BYTES:
            self.flush()

    def close(self, reason: CloseReason) -> None:
        """Sends the close frame; a socket whose client does not answer it is aborted soon after."""
        if not self._closed:
            self._write_close(close_frame(reason.code, reason.reason))
            self._group.limit_close(self)

    def finish_close(self) -> None:
        self._write_close(close_frame(_NORMAL_CLOSURE))
        self._finish()

    def abort(self) -> None:
        self._closed = True
        self._drop_batch()
        self._transport.abort()

    def pause_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def flush(self) -> None:
        """Writes the batch."""
        data = self._first
        if data is None:
            return
        self._first = None
        if self._more is not None:
            data = b"".join((data, *self._more))
            self._drop_batch()
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

    def _write_close(self, frame: bytes) -> None:
        if not self._closed:
            self.write_frame(frame)
            self.flush()
            self._closed = True

    def _finish(self) -> None:
        """Closes the socket when the client has read everything; aborts it if that takes too long."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            self._group.limit_close(self)

    def _drop_batch(self) -> None:
        self._first = None
        if self._more is not None:
            self._more = None
            self._more_bytes = 0

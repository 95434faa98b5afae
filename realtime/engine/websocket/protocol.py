"""The reading half of the WebSocket transport: the loop calls it for an upgraded socket. It has no task."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Protocol

from realtime.contract.errors import CLOSE_FLOOD, CloseReason
from realtime.engine.protocol.frames import websocket_frame
from realtime.engine.websocket.frame_parser import BINARY, CLOSE, PING, PONG, TEXT, Event, FrameParser
from realtime.engine.websocket.socket_group import SocketGroup
from realtime.engine.websocket.transport import WebSocketTransport


class SocketReceiver(Protocol):
    """Receives the messages of a WebSocket. No method blocks."""

    def on_text(self, payload: bytes) -> None:
        """A whole text message: valid UTF-8."""

    def on_binary(self, payload: bytes) -> None: ...

    def on_violation(self, reason: CloseReason) -> None:
        """The client broke RFC 6455 and is not read any more: the receiver has to close the transport."""

    def on_close(self) -> None:
        """The client has sent a close frame, or the socket is lost; may be called twice."""


class WebSocketProtocol(WebSocketTransport, asyncio.Protocol):
    """One upgraded socket: the loop's protocol and the engine's transport in one.

    `first_bytes` were read together with the upgrade request.
    """

    __slots__ = ("_first_bytes", "_parser", "_receiver")

    def __init__(self, transport: asyncio.Transport, group: SocketGroup, first_bytes: bytes) -> None:
        super().__init__(transport, group)
        self._parser = FrameParser(max_message_bytes=group.max_message_bytes, max_frames_per_s=group.max_frames_per_s)
        self._first_bytes: bytes | None = first_bytes
        self._is_batching = True
        self._receiver: SocketReceiver | None = None

    def set_receiver(self, receiver: SocketReceiver) -> None:
        """Calls this receiver from now on. The first one also gets what was read before.

        What was written before there was a receiver is sent together with the receiver's immediate answers.
        """
        self._receiver = receiver
        first_bytes, self._first_bytes = self._first_bytes, None
        if first_bytes:
            self.data_received(first_bytes)
        elif first_bytes is not None:
            self._is_batching = False
            self.flush()

    def data_received(self, data: bytes) -> None:
        self._is_batching = True
        try:
            now_s = self._group.loop.time()
            if (text := self._parser.lone_text(data, now_s)) and self._receiver is not None:
                self._receiver.on_text(text)
            else:
                self._handle_events(self._parser.feed(data, now_s))
        finally:
            self._is_batching = False
            if self._first is not None:
                self.flush()

    def _handle_events(self, events: list[Event]) -> None:
        for opcode, payload in events:
            receiver = self._receiver
            if receiver is None:
                return
            if opcode == TEXT:
                receiver.on_text(payload)
            elif opcode == BINARY:
                receiver.on_binary(payload)
            elif opcode == PING:
                self.write_frame(websocket_frame(PONG, payload))
            elif opcode == CLOSE:
                # Not at once: messages before it may be answered without waiting, and those answers are sent first.
                self._group.close_queue.put(partial(self._answer_close, payload[:2]))
        if self._parser.violation is not None and self._receiver is not None:
            self._fail(self._receiver, self._parser.violation)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._drop_batch()
        self._group.remove(self)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            # Thousands of sockets may be lost in one moment.
            self._group.close_queue.put(receiver.on_close)

    def close(self, reason: CloseReason) -> None:
        super().close(reason)
        if self._parser.violation is not None:
            self._half_close()

    def _answer_close(self, code: bytes) -> None:
        """Echoes the close code of the client, if it sent one."""
        if self._receiver is not None:
            self._write_close(websocket_frame(CLOSE, code))
            self._finish()
            self._receiver.on_close()

    def _fail(self, receiver: SocketReceiver, violation: CloseReason) -> None:
        if violation is CLOSE_FLOOD:
            self.pause_reading()
        if self._closed:
            # We have sent a close frame already, and the client does not answer it any more.
            self._half_close()
        else:
            receiver.on_violation(violation)

    def _half_close(self) -> None:
        """Lets the client close the socket first: closing it with unread bytes would reset it, and lose the reason."""
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._finish()

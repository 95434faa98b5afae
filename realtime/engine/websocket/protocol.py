"""The WebSocket transport's reading half: what the loop calls for an upgraded socket. It has no task."""

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
    """Whoever hears what a WebSocket's client says. Nothing here blocks."""

    def text(self, payload: bytes) -> None:
        """A whole text message: valid UTF-8."""

    def binary(self, payload: bytes) -> None: ...

    def violated(self, reason: CloseReason) -> None:
        """The client broke RFC 6455 and is not read any more: the receiver has to close the transport."""

    def left(self) -> None:
        """The client has said goodbye, or the socket is gone; may come twice."""


class WebSocketProtocol(WebSocketTransport, asyncio.Protocol):
    """One upgraded socket: the loop's protocol and the engine's transport in one. `early` came with the upgrade."""

    __slots__ = ("_early", "_parser", "_receiver")

    def __init__(self, transport: asyncio.Transport, group: SocketGroup, early: bytes) -> None:
        super().__init__(transport, group)
        self._parser = FrameParser(max_message_bytes=group.max_message_bytes, max_frames_per_s=group.max_frames_per_s)
        self._early: bytes | None = early
        self._gathers = True
        self._receiver: SocketReceiver | None = None

    def listen(self, receiver: SocketReceiver) -> None:
        """Tells this receiver from now on. The first one also gets what came before it.

        What was written before there was a receiver leaves with what it answers at once.
        """
        self._receiver = receiver
        early, self._early = self._early, None
        if early:
            self.data_received(early)
        elif early is not None:
            self._gathers = False
            self.flush()

    def data_received(self, data: bytes) -> None:
        self._gathers = True
        try:
            now_s = self._group.loop.time()
            if (text := self._parser.lone_text(data, now_s)) and self._receiver is not None:
                self._receiver.text(text)
            else:
                self._hear(self._parser.feed(data, now_s))
        finally:
            self._gathers = False
            if self._first is not None:
                self.flush()

    def _hear(self, events: list[Event]) -> None:
        for opcode, payload in events:
            receiver = self._receiver
            if receiver is None:
                return
            if opcode == TEXT:
                receiver.text(payload)
            elif opcode == BINARY:
                receiver.binary(payload)
            elif opcode == PING:
                self.write_frame(websocket_frame(PONG, payload))
            elif opcode == CLOSE:
                # Not at once: what was said before may be answered without waiting, and that leaves first.
                self._group.goodbyes.put(partial(self._answer_close, payload[:2]))
        if self._parser.violation is not None and self._receiver is not None:
            self._fail(self._receiver, self._parser.violation)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        self._drop_gathered()
        self._group.remove(self)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            # Thousands may be lost in one moment.
            self._group.goodbyes.put(receiver.left)

    def close(self, reason: CloseReason) -> None:
        super().close(reason)
        if self._parser.violation is not None:
            self._half_close()

    def _answer_close(self, code: bytes) -> None:
        """Echoes the code; without one there is nothing to echo."""
        if self._receiver is not None:
            self._say_goodbye(websocket_frame(CLOSE, code))
            self._finish()
            self._receiver.left()

    def _fail(self, receiver: SocketReceiver, violation: CloseReason) -> None:
        if violation is CLOSE_FLOOD:
            self.hold()
        if self._closed:
            # It was told to go before, and does not any more what would be an answer.
            self._half_close()
        else:
            receiver.violated(violation)

    def _half_close(self) -> None:
        """A close with unread bytes would reset the connection, and the reason with it. So the client goes first."""
        if self._transport.is_closing():
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        else:
            self._finish()

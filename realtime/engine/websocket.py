"""The WebSocket transport: frames written straight to the socket, and the loop that reads a client's."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Literal

from aiohttp import WSMsgType, web

from realtime.engine.frames import (
    BINARY,
    CLOSE,
    PONG,
    EnginePacket,
    MalformedPacket,
    Outgoing,
    close_frame,
    decode_text,
)
from realtime.engine.inbound import Inbound
from realtime.engine.session import Connection
from realtime.errors import CLOSE_PROTOCOL_ERROR, CloseReason

WebSocket = web.WebSocketResponse[Literal[False]]

_CLOSE_WAIT_S = 2.0
_FLUSH_BYTES = 64 * 1024
# The kernel would hide megabytes that a stalled client has not read.
_KERNEL_BUFFER_BYTES = 128 * 1024
_NORMAL_CLOSURE = 1000


def open_websocket(*, max_packet_bytes: int) -> WebSocket:
    """An upgrade to be answered: no compression, closing handshakes left to us, text left undecoded."""
    return web.WebSocketResponse(
        timeout=_CLOSE_WAIT_S,
        autoclose=False,
        compress=False,
        # aiohttp refuses what is not smaller.
        max_msg_size=max_packet_bytes + 1,
        decode_text=False,
    )


class WebSocketTransport:
    """Writes to an upgraded socket. Frames of one loop tick leave in one write.

    Nothing is queued here beyond the tick: what the client has not read stands in the socket's own buffer, and that may
    hold `max_unread_bytes`.
    """

    name: Literal["websocket"] = "websocket"

    def __init__(self, transport: asyncio.Transport, *, max_unread_bytes: int) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport = transport
        self._max_unread_bytes = max_unread_bytes
        self._on_stalled: Callable[[], None] | None = None
        self._tick: list[bytes] = []
        self._tick_bytes = 0
        self._closed = False
        self._deadline: asyncio.TimerHandle | None = None
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_BUFFER_BYTES)

    def watch(self, on_stalled: Callable[[], None]) -> None:
        self._on_stalled = on_stalled

    def write(self, packet: Outgoing) -> None:
        self.write_frame(packet.frame)

    def write_frame(self, frame: bytes) -> None:
        if self._closed:
            return
        if not self._tick:
            self._loop.call_soon(self._flush)
        self._tick.append(frame)
        self._tick_bytes += len(frame)
        if self._tick_bytes > _FLUSH_BYTES:
            self._flush()

    def close(self, reason: CloseReason) -> None:
        """Sends the close frame; a client that does not answer it is cut off soon after."""
        self._say_goodbye(close_frame(reason.code, reason.reason))
        self._deadline = self._loop.call_later(_CLOSE_WAIT_S, self._transport.abort)

    def release(self) -> None:
        self._say_goodbye(close_frame(_NORMAL_CLOSURE))
        self._transport.close()

    def abort(self) -> None:
        self._closed = True
        self._drop_tick()
        self._transport.abort()

    def finish(self) -> None:
        """The reading loop has ended: the socket is closed behind it, and no timer stays."""
        self._say_goodbye(close_frame(_NORMAL_CLOSURE))
        if self._deadline is not None:
            self._deadline.cancel()
        self._transport.close()
        if self._transport.get_write_buffer_size():
            # It would wait for ever for a client that does not read.
            self._loop.call_later(_CLOSE_WAIT_S, self._transport.abort)

    def _say_goodbye(self, frame: bytes) -> None:
        if not self._closed:
            self.write_frame(frame)
            self._flush()
            self._closed = True

    def _flush(self) -> None:
        if not self._tick:
            return
        data, size_bytes = b"".join(self._tick), self._tick_bytes
        self._drop_tick()
        if self._transport.is_closing():
            return
        unread_bytes = self._transport.get_write_buffer_size()
        if unread_bytes and unread_bytes + size_bytes > self._max_unread_bytes:
            if self._on_stalled is not None:
                self._on_stalled()
        else:
            self._transport.write(data)

    def _drop_tick(self) -> None:
        self._tick = []
        self._tick_bytes = 0


async def read_websocket(
    websocket: WebSocket, connection: Connection, inbound: Inbound, *, on_pong: Callable[[], None]
) -> None:
    """Hands what the client says to `inbound`, until either side ends the connection."""
    while True:
        message = await websocket.receive()
        if message.type is WSMsgType.TEXT:
            try:
                packet = decode_text(message.data)
            except MalformedPacket:
                connection.close(CLOSE_PROTOCOL_ERROR)
                continue
            if packet.kind == PONG:
                on_pong()
            else:
                await inbound.take(packet)
                if packet.kind == CLOSE:
                    return
        elif message.type is WSMsgType.BINARY:
            await inbound.take(EnginePacket(BINARY, message.data))
        else:
            return


def send_unread(transport: WebSocketTransport, unread: list[Outgoing]) -> None:
    """Sends what a client had not fetched before it upgraded."""
    for packet in unread:
        transport.write(packet)

"""A Socket.IO client light enough for thousands of them in one process: no task and no library behind a connection.

It sends JSON over WebSocket, and can misbehave: stop reading, or drop the connection without a close.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import urlsplit

import orjson

_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10
_HEADER_END = b"\r\n\r\n"
_NO_MASK = bytes(4)
"""A client's frame must be masked; zeros are a valid mask."""


class SocketLost(Exception):
    """There is no connection, or it was lost. Commands sent on it may or may not have been executed."""


class SocketRefused(SocketLost):
    """The server refused the connection or a namespace."""


class LightSocket(asyncio.Protocol):
    """One connection with some namespaces. Calls `on_push(namespace, name, data)`, and `on_lost(why)` once at the end.

    `joined` holds the answer to each namespace's CONNECT: its `sid`, and `pid` where the client asked for recovery.
    `offsets` is filled with the offset of each namespace's last push, which a client sends to recover.
    """

    def __init__(
        self,
        on_push: Callable[[str, str, Any], None],
        on_lost: Callable[[str], None],
        *,
        offsets: dict[str, str] | None = None,
        reads_bytes: int | None = None,
    ) -> None:
        self._on_push = on_push
        self._offsets = {} if offsets is None else offsets
        self._unread_bytes = reads_bytes
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._buffer = bytearray()
        self._is_upgraded = False
        self._is_open = False
        self._opened = self._loop.create_future()
        self._joining: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._calls: dict[tuple[str, int], asyncio.Future[dict[str, Any]]] = {}
        self._next_id = 0
        self._heard_at_s = self._loop.time()
        self._silence_s = 60.0
        self._watch: asyncio.TimerHandle | None = None
        self._lost: str | None = None
        self.joined: dict[str, dict[str, Any]] = {}

    @classmethod
    async def open(
        cls,
        url: str,
        auth: Mapping[str, Mapping[str, object]],
        *,
        on_push: Callable[[str, str, Any], None],
        on_lost: Callable[[str], None],
        offsets: dict[str, str] | None = None,
        reads_bytes: int | None = None,
        receive_buffer_bytes: int | None = None,
        timeout_s: float = 20.0,
    ) -> LightSocket:
        """Connects and joins each namespace of `auth`; `on_lost` is only called after this has returned.

        The connection breaks after `reads_bytes`, even in the middle of a frame. Raises SocketLost.
        """
        address = urlsplit(url)
        raw = socket.socket()
        raw.setblocking(False)
        if receive_buffer_bytes is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        loop = asyncio.get_running_loop()
        this = None
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(raw, (address.hostname, address.port))
                _, this = await loop.create_connection(
                    lambda: cls(on_push, on_lost, offsets=offsets, reads_bytes=reads_bytes), sock=raw
                )
                await this._join(address.netloc, auth)
                if this._lost is not None:
                    raise SocketLost(this._lost)
                this._is_open = True
        except BaseException as error:
            if this is None:
                raw.close()
            else:
                this.abort()
            if isinstance(error, OSError | TimeoutError):  # an OSError says no more than that no server is there
                raise SocketLost(f"cannot connect: {error!r}") from error
            raise
        return this

    async def _join(self, host: str, auth: Mapping[str, Mapping[str, object]]) -> None:
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        await self._opened
        for namespace, shown in auth.items():
            self._joining[namespace] = self._loop.create_future()
            self._send(f"40{namespace},".encode() + orjson.dumps(shown))
        for namespace, joining in list(self._joining.items()):
            self.joined[namespace] = await joining

    async def call(self, namespace: str, name: str, payload: object, *, timeout_s: float) -> dict[str, Any]:
        """The whole answer of a command, ok or not. Raises SocketLost, TimeoutError."""
        if self._lost is not None:
            raise SocketLost(self._lost)
        self._next_id += 1
        key = (namespace, self._next_id)
        answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._calls[key] = answer
        self._send(f"42{namespace},{self._next_id}".encode() + orjson.dumps([name, payload]))
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        finally:
            self._calls.pop(key, None)

    def stall(self) -> None:
        """Stops reading, but keeps sending pongs, so that the server does not see a timeout."""
        self._transport.pause_reading()
        if self._watch is not None:
            self._watch.cancel()
        self._pretend()

    def _pretend(self) -> None:
        self._send(b"3")
        self._watch = self._loop.call_later(1.0, self._pretend)

    def abort(self) -> None:
        """Drops the connection without a close frame."""
        self._transport.abort()

    @property
    def lost(self) -> bool:
        return self._lost is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._end("the connection was lost" if error is None else f"the connection was lost: {error!r}")

    def data_received(self, data: bytes) -> None:
        if self._unread_bytes is None:
            self._read(data)
            return
        read, self._unread_bytes = data[: self._unread_bytes], max(0, self._unread_bytes - len(data))
        self._read(read)
        if not self._unread_bytes:
            self._end("the connection broke")
            self._transport.abort()

    def _read(self, data: bytes) -> None:
        self._heard_at_s = self._loop.time()
        self._buffer += data
        if not self._is_upgraded:
            head, end, rest = self._buffer.partition(_HEADER_END)
            if not end:
                return
            status = bytes(head).split(b"\r\n", 1)[0]
            if status.split()[1:2] != [b"101"]:
                self._refuse(f"the handshake was answered with {status!r} {bytes(rest)!r}")
                return
            self._is_upgraded = True
            self._buffer = bytearray(rest)
        while (frame := self._next_frame()) is not None:
            self._take(*frame)

    def _next_frame(self) -> tuple[int, bytes] | None:
        buffer = self._buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1] & 0x7F, 2
        if length > 125:
            start = 4 if length == 126 else 10
            if len(buffer) < start:
                return None
            length = int.from_bytes(buffer[2:start])
        if len(buffer) < start + length:
            return None
        assert buffer[0] & 0x80, "this client takes no fragments: the server sends none"
        opcode, payload = buffer[0] & 0x0F, bytes(buffer[start : start + length])
        del buffer[: start + length]
        return opcode, payload

    def _take(self, opcode: int, payload: bytes) -> None:
        if opcode == _TEXT:
            self._take_packet(payload)
        elif opcode == _PING:
            self._frame(_PONG, payload)
        elif opcode == _CLOSE:
            self._end(f"closed with {int.from_bytes(payload[:2])} {payload[2:].decode()}")
            self._transport.close()

    def _take_packet(self, packet: bytes) -> None:
        if packet == b"2":
            self._send(b"3")
        elif packet.startswith(b"0"):
            opened = orjson.loads(packet[1:])
            self._silence_s = (opened["pingInterval"] + opened["pingTimeout"]) / 1000
            self._listen_for_silence()
            if not self._opened.done():
                self._opened.set_result(None)
        elif packet.startswith(b"4"):
            head, comma, body = packet[2:].partition(b",")
            assert comma, f"a packet of no namespace: {packet!r}"
            self._take_message(packet[1:2], head.decode(), body)
        elif packet != b"6":
            self._refuse(f"the server said {packet!r}")

    def _take_message(self, kind: bytes, namespace: str, body: bytes) -> None:
        if kind == b"2":
            name, *arguments = orjson.loads(body)
            if arguments and isinstance(arguments[-1], str):
                self._offsets[namespace] = arguments[-1]
            self._on_push(namespace, name, arguments[0] if arguments else None)
        elif kind == b"3":
            digits, bracket, rest = body.partition(b"[")
            answer = self._calls.get((namespace, int(digits)))
            if answer is not None and not answer.done():
                answer.set_result(orjson.loads(bracket + rest)[0])
        elif kind == b"0":
            joining = self._joining[namespace]
            if not joining.done():
                joining.set_result(orjson.loads(body))
        else:
            self._refuse(f"{namespace} was answered with {body!r}")

    def _listen_for_silence(self) -> None:
        left_s = self._heard_at_s + self._silence_s - self._loop.time()
        if left_s <= 0:
            self._end("the server has gone silent")
            self._transport.abort()
        elif self._lost is None:
            self._watch = self._loop.call_later(left_s, self._listen_for_silence)

    def _refuse(self, why: str) -> None:
        self._end(why, SocketRefused)
        self._transport.abort()

    def _end(self, why: str, kind: type[SocketLost] = SocketLost) -> None:
        if self._lost is not None:
            return
        self._lost = why
        if self._watch is not None:
            self._watch.cancel()
        for waiting in (self._opened, *self._joining.values(), *self._calls.values()):
            if not waiting.done():
                waiting.set_exception(kind(why))
                waiting.exception()  # counts as retrieved: it is no error if no caller waits for this future
        if self._is_open:
            self._on_lost(why)

    def _send(self, packet: bytes) -> None:
        self._frame(_TEXT, packet)

    def _frame(self, opcode: int, payload: bytes) -> None:
        length = len(payload)
        if length < 126:
            head = bytes((0x80 | opcode, 0x80 | length))
        elif length < 65_536:
            head = bytes((0x80 | opcode, 0xFE)) + length.to_bytes(2)
        else:
            head = bytes((0x80 | opcode, 0xFF)) + length.to_bytes(8)
        if not self._transport.is_closing():
            self._transport.write(head + _NO_MASK + payload)

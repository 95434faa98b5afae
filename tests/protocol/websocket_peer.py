"""A WebSocket client made of literal bytes, beside a server that echoes messages through the engine's own layer."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tests.kit.protocol_server import WebSocketLayer, listening

MASK = b"\x11\x22\x33\x44"
MAX_MESSAGE_BYTES = 1000
MAX_FRAMES_PER_S = 2000
REQUEST = (
    b"GET /any/path HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
"""The handshake of RFC 6455, 1.3."""

FIN = 0x80
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


def frame(first: int, payload: bytes = b"", *, mask: bytes = MASK) -> bytes:
    """A client's frame. `first` is the first byte: the FIN and RSV bits, and the opcode."""
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", first, 0x80 | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, length)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, length)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload))


class Peer:
    """Sends any bytes and reads the server's frames, which must be whole and unmasked."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def send(self, *pieces: bytes) -> None:
        """Sends each piece as a separate segment."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()
            await asyncio.sleep(0)

    async def head(self) -> bytes:
        return await self._reader.readuntil(b"\r\n\r\n")

    async def read(self) -> bytes:
        """The result of one read of the socket."""
        return await self._reader.read(65_536)

    async def receive(self) -> tuple[int, bytes]:
        """The opcode and payload of the next frame."""
        first, second = await self._reader.readexactly(2)
        assert first & 0xF0 == FIN and second < 0x80, "the server fragments nothing and masks nothing"
        length = second
        if length == 126:
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self._reader.readexactly(8))
        return first & 0xF, await self._reader.readexactly(length)

    async def close_code(self) -> int | None:
        """Reads up to the close frame, and checks that the server then ends the connection; None: no close code."""
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSE:
                break
        assert await self._reader.read() == b"", "nothing comes after a close frame"
        return int.from_bytes(payload[:2], "big") if payload else None


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Peer]:
    """A TCP connection on which nothing was sent yet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Peer(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def echo_layer() -> AsyncIterator[int]:
    """The port of a server that accepts at most MAX_MESSAGE_BYTES and MAX_FRAMES_PER_S."""
    layer = WebSocketLayer(max_message_bytes=MAX_MESSAGE_BYTES, max_frames_per_s=MAX_FRAMES_PER_S)
    async with listening(layer) as port:
        yield port


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    """A client after its opening handshake, with a separate server."""
    async with echo_layer() as port, connected(port) as client:
        await client.send(REQUEST)
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        yield client

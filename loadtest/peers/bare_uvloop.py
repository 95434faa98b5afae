"""The lower limit: a uvloop protocol that frames and writes, with no more of the protocols than the load client uses.

`python -m loadtest.peers.bare_uvloop --port N`. One write per message and client; nothing is checked or bounded.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import struct
from typing import Final, cast

from loadtest.server_process import run, serve_until_signal, server_options

BACKLOG: Final = 1_024
_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_OPEN: Final = b'0{"sid":"bare","upgrades":[],"pingInterval":600000,"pingTimeout":20000,"maxPayload":1000000}'
_ANSWER: Final = b'[{"ok":true}]'


def frame(payload: bytes) -> bytes:
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + struct.pack(">H", len(payload)) + payload


def unmask(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    mask = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


class Peer(asyncio.Protocol):
    """One client. `everybody` holds the transports of all clients that have finished their handshake."""

    def __init__(self, everybody: set[asyncio.Transport]) -> None:
        self._everybody = everybody
        self._transport: asyncio.Transport
        self._unread = b""
        self._upgraded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._everybody.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        if self._unread:
            data = self._unread + data
        data = self._frames(data) if self._upgraded else self._request(data)
        self._unread = data

    def _request(self, data: bytes) -> bytes:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            return data
        key = next(line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key: "))
        accept = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        self._transport.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame(_OPEN)
        )
        self._upgraded = True
        self._everybody.add(self._transport)
        return self._frames(rest)

    def _frames(self, data: bytes) -> bytes:
        while len(data) >= 2:
            size, start = data[1] & 127, 2
            if size == 126:
                size, start = int.from_bytes(data[2:4], "big"), 4
            end = start + 4 + size
            if len(data) < end:
                break
            self._packet(unmask(data[start + 4 : end], data[start : start + 4]))
            data = data[end:]
        return data

    def _packet(self, packet: bytes) -> None:
        if packet.startswith(b'42["pub",'):
            pushed = frame(b'42["msg",' + packet[9:])
            for transport in self._everybody:
                transport.write(pushed)
        elif packet.startswith(b"42"):
            self._transport.write(frame(b"43" + packet[2 : packet.index(b"[")] + _ANSWER))
        elif packet.startswith(b"40"):
            namespace, comma, _ = packet[2:].partition(b",")
            named = namespace + comma if comma and namespace.startswith(b"/") else b""
            self._transport.write(frame(b"40" + named + b'{"sid":"bare"}'))


async def serve(port: int) -> None:
    everybody: set[asyncio.Transport] = set()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Peer(everybody), "127.0.0.1", port, backlog=BACKLOG)
    await serve_until_signal()
    server.close()
    for transport in tuple(everybody):
        transport.abort()
    await server.wait_closed()


def main() -> None:
    run(serve(server_options(__doc__).parse_args().port))


if __name__ == "__main__":
    main()

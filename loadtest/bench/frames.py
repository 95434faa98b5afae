"""The part of Socket.IO over WebSocket that a load client needs."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Final

_MASK: Final = b"\x5a\x17\xc3\x6e"
"""Not zero: some servers skip the unmasking then, and would seem cheaper than with real clients."""


def masked(text: str) -> bytes:
    """A complete text frame of a client."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        head = bytes((0x81, 0x80 | size))
    elif size < 65_536:
        head = struct.pack(">BBH", 0x81, 0xFE, size)
    else:
        head = struct.pack(">BBQ", 0x81, 0xFF, size)
    mask = (_MASK * (size // 4 + 1))[:size]
    return head + _MASK + (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def event(name: str, payload: object, ack_id: int | None = None, *, namespace: str = "/") -> bytes:
    """An event; with an id it gets an ack."""
    body = json.dumps([name, payload], separators=(",", ":"))
    return masked(f"42{'' if namespace == '/' else f'{namespace},'}{'' if ack_id is None else ack_id}{body}")


def connect(namespace: str, auth: Mapping[str, object]) -> bytes:
    """The CONNECT of a namespace."""
    said = json.dumps(auth) if auth else ""
    return masked(f"40{said}" if namespace == "/" else f"40{namespace},{said}")


def upgrade_request(port: int) -> bytes:
    return (
        f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZGNsaWVudDEyMzQ1Ng==\r\n\r\n"
    ).encode()


def frame_size(data: bytes) -> int:
    """The length of the server's frame at the beginning of `data`, including its head; 0 while that is unknown."""
    if len(data) < 2:
        return 0
    size = data[1]
    if size < 126:
        return 2 + size
    if len(data) < 10:
        return 0
    return 4 + int.from_bytes(data[2:4], "big") if size == 126 else 10 + int.from_bytes(data[2:10], "big")


def split(data: bytes) -> tuple[list[bytes], bytes]:
    """The payloads of the server's complete frames in `data`, and the rest."""
    payloads = []
    while (size := frame_size(data)) and size <= len(data):
        head = 2 if data[1] < 126 else 4 if data[1] == 126 else 10
        payloads.append(data[head:size])
        data = data[size:]
    return payloads, data

"""Engine.IO packets in the framing of both transports: WebSocket frames and polling payloads.

Both are made of encoded bytes; nothing here decodes the content of a packet.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterable
from typing import NamedTuple

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
BINARY = b"b"
"""The mark of a binary message in a polling payload; on a WebSocket it is a binary frame."""

PROBE_QUESTION = b"2probe"
PROBE_ANSWER = b"3probe"

_SEPARATOR = b"\x1e"
_KINDS = frozenset((OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP))
_FIN = 0x80
_TEXT_OPCODE, _BINARY_OPCODE, _CLOSE_OPCODE = 0x1, 0x2, 0x8
_SHORT_TEXT_HEADS = tuple(bytes((_FIN | _TEXT_OPCODE, length)) for length in range(126))


class MalformedPacket(Exception):
    """A client broke the protocol: its connection has to be closed."""


class EnginePacket(NamedTuple):
    """One Engine.IO packet of a client; `kind` is one of the constants above."""

    kind: bytes
    data: bytes


class Outgoing:
    """One Engine.IO packet to any number of clients; framed once.

    `payload` is the packet in a polling payload; `frame` is its WebSocket frame, None: a text frame of the payload.
    """

    __slots__ = ("frame", "payload")

    def __init__(self, payload: bytes, frame: bytes | None = None) -> None:
        self.payload = payload
        self.frame = websocket_frame(_TEXT_OPCODE, payload) if frame is None else frame


def binary_message(data: bytes) -> Outgoing:
    """A binary message: a binary frame on a WebSocket, base64 in a polling payload."""
    return Outgoing(BINARY + base64.b64encode(data), websocket_frame(_BINARY_OPCODE, data))


def close_frame(code: int, reason: str = "") -> bytes:
    return websocket_frame(_CLOSE_OPCODE, struct.pack("!H", code) + reason.encode())


def websocket_frame(opcode: int, payload: bytes) -> bytes:
    """A whole, unmasked WebSocket frame of any kind."""
    length = len(payload)
    if length < 126:
        if opcode == _TEXT_OPCODE:
            return _SHORT_TEXT_HEADS[length] + payload
        return bytes((_FIN | opcode, length)) + payload
    if length < 65_536:
        return struct.pack("!BBH", _FIN | opcode, 126, length) + payload
    return struct.pack("!BBQ", _FIN | opcode, 127, length) + payload


def encode_payload(payloads: Iterable[bytes]) -> bytes:
    """The body of a polling answer."""
    return _SEPARATOR.join(payloads)


def decode_payload(body: bytes) -> list[EnginePacket]:
    """The packets of a polling request's body, in order. Raises MalformedPacket."""
    packets = []
    for part in body.split(_SEPARATOR):
        kind = part[:1]
        if kind == BINARY:
            try:
                packets.append(EnginePacket(BINARY, base64.b64decode(part[1:], validate=True)))
            except binascii.Error:
                raise MalformedPacket("binary message is not base64") from None
        else:
            packets.append(decode_text(part))
    return packets


def decode_text(text: bytes) -> EnginePacket:
    """The packet in a WebSocket text message or in one part of a polling payload. Raises MalformedPacket."""
    kind = text[:1]
    if kind not in _KINDS:
        raise MalformedPacket("unknown Engine.IO packet type")
    return EnginePacket(kind, text[1:])

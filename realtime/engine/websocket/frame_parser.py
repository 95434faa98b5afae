"""Parses WebSocket frames by RFC 6455: bytes in, messages and control frames out. It does no I/O."""

from __future__ import annotations

import codecs
from typing import Final

from aiohttp._websocket.helpers import websocket_mask

from realtime.contract.errors import (
    CLOSE_BROKEN_FRAME,
    CLOSE_FLOOD,
    CLOSE_INVALID_TEXT,
    CLOSE_TOO_LARGE,
    CloseReason,
)

Event = tuple[int, bytes]
"""An opcode with its payload: a whole message, or a control frame."""

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

_FIN: Final = 0x80
_RSV: Final = 0x70
_MASKED: Final = 0x80
_LENGTH_16: Final = 126
_LENGTH_64: Final = 127
_CONTROL_MAX_BYTES = 125
_OPCODES = frozenset((CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG))
_WHOLE_TEXT: Final = _FIN | TEXT
_WHOLE_MESSAGE = frozenset((_FIN | TEXT, _FIN | BINARY))
_new_text_check = codecs.getincrementaldecoder("utf-8")


class _Broken(Exception):
    def __init__(self, reason: CloseReason) -> None:
        super().__init__(reason.reason)
        self.reason = reason


class _OpenFrame:
    """A frame whose header was read and whose payload is not complete."""

    __slots__ = ("final", "mask", "opcode", "remaining_bytes")

    def __init__(self, opcode: int, final: bool, mask: bytes, remaining_bytes: int) -> None:
        self.opcode = opcode
        self.final = final
        self.mask = mask
        self.remaining_bytes = remaining_bytes


class _OpenMessage:
    """A message whose end was not read yet. Text is checked as it arrives, so that a bad byte is refused at once."""

    __slots__ = ("_text_check", "opcode", "payload")

    def __init__(self, opcode: int) -> None:
        self.opcode = opcode
        self.payload = bytearray()
        self._text_check = _new_text_check() if opcode == TEXT else None

    def add(self, data: bytes, *, final: bool) -> None:
        if self._text_check is not None:
            try:
                self._text_check.decode(data, final)
            except UnicodeDecodeError:
                raise _Broken(CLOSE_INVALID_TEXT) from None
        self.payload += data


class FrameParser:
    """Reads one client's frames, in whatever pieces they arrive.

    After a violation or a close frame the rest is ignored. A message may hold `max_message_bytes`: a frame that would
    exceed that is refused at its header.
    """

    __slots__ = (
        "_between_messages",
        "_control",
        "_ended",
        "_frame",
        "_frames_left",
        "_head",
        "_max_frames_per_s",
        "_max_message_bytes",
        "_message",
        "_second_ends_s",
        "violation",
    )

    def __init__(self, *, max_message_bytes: int, max_frames_per_s: int) -> None:
        self._max_message_bytes = max_message_bytes
        self._max_frames_per_s = max_frames_per_s
        self._frames_left = 0
        self._second_ends_s = 0.0
        self._head = b""
        self._frame: _OpenFrame | None = None
        self._message: _OpenMessage | None = None
        self._control = b""
        self._ended = False
        self._between_messages = True
        self.violation: CloseReason | None = None
        """Why the connection has to be failed, after the events of the same call."""

    def lone_text(self, data: bytes, now_s: float) -> bytes:
        """The fast path for nearly all reads: the payload of one whole text message in ASCII.

        Empty: the bytes are something else and were not consumed: call `feed`. `now_s` is as for `feed`.
        """
        if now_s >= self._second_ends_s:
            self._begin_second(now_s)
        size_bytes = len(data)
        if size_bytes < 6 or data[0] != _WHOLE_TEXT or not self._between_messages or self._frames_left <= 0:
            return b""
        length, start = data[1], 6
        if length == _MASKED | _LENGTH_16 and size_bytes >= _LENGTH_16 + 8:
            length, start = (data[2] << 8 | data[3]) + _MASKED, 8
        elif length >= _MASKED | _LENGTH_16:
            return b""
        if length != size_bytes - start + _MASKED or size_bytes > self._max_message_bytes:
            return b""
        plain = bytearray(data[start:])
        websocket_mask(data[start - 4 : start], plain)
        if not plain.isascii():
            return b""
        self._frames_left -= 1
        return bytes(plain)

    def feed(self, data: bytes, now_s: float) -> list[Event]:
        """The events that these bytes complete. `now_s` is the time of any monotonic clock."""
        if now_s >= self._second_ends_s:
            self._begin_second(now_s)
        events: list[Event] = []
        if self._ended:
            return events
        try:
            if self._head:
                data, self._head = self._head + data, b""
            position, end = 0, len(data)
            while position < end and not self._ended:
                if self._frame is not None:
                    position = self._read_payload(self._frame, data, position, events)
                    continue
                after = self._read_whole_message(data, position, end, events)
                if not after:
                    after = self._read_head(data, position, events)
                    if not after:
                        self._head = data[position:]
                        break
                position = after
        except _Broken as broken:
            self.violation = broken.reason
            self._end()
        self._between_messages = not (self._head or self._frame or self._message or self._ended)
        return events

    def _begin_second(self, now_s: float) -> None:
        self._second_ends_s = now_s + 1
        self._frames_left = self._max_frames_per_s

    def _read_whole_message(self, data: bytes, position: int, end: int, events: list[Event]) -> int:
        """The fast path for whole messages. Returns where the next frame begins, 0 if this is something else."""
        if end - position < 6 or data[position] not in _WHOLE_MESSAGE or self._message is not None:
            return 0
        length, start = data[position + 1] - _MASKED, position + 6
        if length == _LENGTH_16:
            length, start = int.from_bytes(data[position + 2 : position + 4], "big"), position + 8
            if length < _LENGTH_16:
                return 0
        elif length > _LENGTH_16 or length < 0:
            return 0
        after = start + length
        if after > end or length > self._max_message_bytes:
            return 0
        self._count_frame()
        payload = _unmask(data[start - 4 : start], data[start:after])
        opcode = data[position] - _FIN
        if opcode == TEXT and not payload.isascii():
            try:
                payload.decode()
            except UnicodeDecodeError:
                raise _Broken(CLOSE_INVALID_TEXT) from None
        events.append((opcode, payload))
        return after

    def _read_head(self, data: bytes, position: int, events: list[Event]) -> int:
        """Opens the next frame. Returns where its payload begins, 0 when the header is not complete."""
        available = len(data) - position
        first = data[position]
        opcode, final = first & 0xF, bool(first & _FIN)
        if first & _RSV or opcode not in _OPCODES or (opcode >= CLOSE and not final):
            raise _Broken(CLOSE_BROKEN_FRAME)
        if opcode < CLOSE and (opcode == CONTINUATION) is (self._message is None):
            raise _Broken(CLOSE_BROKEN_FRAME)
        if available < 2:
            return 0
        second = data[position + 1]
        length = second & 0x7F
        if not second & _MASKED or (opcode >= CLOSE and length > _CONTROL_MAX_BYTES):
            raise _Broken(CLOSE_BROKEN_FRAME)
        size_bytes = {_LENGTH_16: 2, _LENGTH_64: 8}.get(length, 0)
        start = position + 2 + size_bytes
        if available < 2 + size_bytes:
            return 0
        if size_bytes:
            shortest = 1 << 16 if size_bytes == 8 else _LENGTH_16
            length = int.from_bytes(data[position + 2 : start], "big")
            if length < shortest or length >> 63:
                raise _Broken(CLOSE_BROKEN_FRAME)
        held_bytes = len(self._message.payload) if self._message is not None else 0
        if opcode < CLOSE and held_bytes + length > self._max_message_bytes:
            raise _Broken(CLOSE_TOO_LARGE)
        if available < 6 + size_bytes:
            return 0
        self._count_frame()
        frame = _OpenFrame(opcode, final, data[start : start + 4], length)
        if opcode in (TEXT, BINARY):
            self._message = _OpenMessage(opcode)
        self._frame = frame
        if length == 0:
            self._read_payload(frame, b"", 0, events)
        return start + 4

    def _read_payload(self, frame: _OpenFrame, data: bytes, position: int, events: list[Event]) -> int:
        """Consumes the available part of the open frame's payload. Returns where it ended."""
        piece = data[position : position + frame.remaining_bytes]
        taken_bytes = len(piece)
        frame.remaining_bytes -= taken_bytes
        piece = _unmask(frame.mask, piece)
        turn = taken_bytes % 4
        frame.mask = frame.mask[turn:] + frame.mask[:turn]
        complete = frame.remaining_bytes == 0
        if complete:
            self._frame = None
        if frame.opcode >= CLOSE:
            self._control += piece
            if complete:
                self._take_control(frame.opcode, events)
        elif self._message is not None:
            message = self._message
            message.add(piece, final=complete and frame.final)
            if complete and frame.final:
                self._message = None
                events.append((message.opcode, bytes(message.payload)))
        return position + taken_bytes

    def _take_control(self, opcode: int, events: list[Event]) -> None:
        payload, self._control = self._control, b""
        if opcode == CLOSE:
            _check_close(payload)
            self._end()
        events.append((opcode, payload))

    def _count_frame(self) -> None:
        self._frames_left -= 1
        if self._frames_left < 0:
            raise _Broken(CLOSE_FLOOD)

    def _end(self) -> None:
        self._ended = True
        self._frame = self._message = None
        self._head = self._control = b""


def _unmask(mask: bytes, data: bytes) -> bytes:
    plain = bytearray(data)
    websocket_mask(mask, plain)
    return bytes(plain)


def _check_close(payload: bytes) -> None:
    if not payload:
        return
    code = int.from_bytes(payload[:2], "big")
    registered = 1000 <= code <= 1003 or 1007 <= code <= 1014
    if len(payload) < 2 or not (registered or 3000 <= code <= 4999):
        raise _Broken(CLOSE_BROKEN_FRAME)
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        raise _Broken(CLOSE_INVALID_TEXT) from None

"""What tests/protocol/test_rfc6455.py cannot see from outside: what is kept, and for how long."""

import random

import pytest

from realtime.contract.errors import CLOSE_FLOOD, CLOSE_TOO_LARGE
from realtime.engine.websocket.frame_parser import BINARY, PING, TEXT, Event, FrameParser
from tests.protocol.websocket_peer import CLOSE, CONTINUATION, FIN, frame


def _parser(*, max_message_bytes: int = 1_000_000, max_frames_per_s: int = 100_000) -> FrameParser:
    return FrameParser(max_message_bytes=max_message_bytes, max_frames_per_s=max_frames_per_s)


STREAM = b"".join(
    (
        frame(FIN | TEXT, "Straße".encode(), mask=b"\x00\x00\x00\x00"),
        frame(FIN | TEXT, b"x" * 200, mask=b"\xff\x01\x80\x7f"),
        frame(BINARY, b"\x80" * 130),
        frame(CONTINUATION, b""),
        frame(FIN | PING, b"now"),
        frame(FIN | CONTINUATION, b"\x81" * 70_000),
        frame(FIN | TEXT, "€".encode() * 25_000),
        frame(FIN | TEXT),
    )
)
EVENTS: list[Event] = [
    (TEXT, "Straße".encode()),
    (TEXT, b"x" * 200),
    (PING, b"now"),
    (BINARY, b"\x80" * 130 + b"\x81" * 70_000),
    (TEXT, "€".encode() * 25_000),
    (TEXT, b""),
]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_of_any_size_mean_the_same(seed: int) -> None:
    sizes, parser, events, position = random.Random(seed), _parser(), list[Event](), 0
    while position < len(STREAM):
        size = sizes.choice((1, 2, 3, 7, 50, 1000, 40_000))
        events += parser.feed(STREAM[position : position + size], 0)
        position += size
    assert (events, parser.violation) == (EVENTS, None)


def test_messages_before_a_violation_count() -> None:
    parser = _parser()
    assert parser.feed(frame(FIN | TEXT, b"good") + b"\xff" + frame(FIN | TEXT, b"never"), 0) == [(TEXT, b"good")]
    assert parser.violation is not None
    assert parser.feed(frame(FIN | TEXT, b"never"), 0) == []


def test_nothing_after_a_close_is_read() -> None:
    parser = _parser()
    assert parser.feed(frame(FIN | CLOSE) + frame(FIN | TEXT, b"never"), 0) == [(CLOSE, b"")]
    assert parser.feed(b"\xff", 0) == []
    assert parser.violation is None


def test_of_a_frame_too_large_nothing_is_kept() -> None:
    parser = _parser(max_message_bytes=100)
    assert parser.feed(frame(FIN | BINARY, b"x" * 101)[:50], 0) == []
    assert parser.violation is CLOSE_TOO_LARGE
    assert (parser._message, parser._head) == (None, b"")


def test_empty_fragments_keep_nothing() -> None:
    parser = _parser()
    parser.feed(frame(BINARY) + frame(CONTINUATION) * 50_000, 0)
    assert parser.violation is None
    assert parser._message is not None and len(parser._message.payload) == 0


def test_frames_are_counted_by_the_second() -> None:
    parser = _parser(max_frames_per_s=10)
    for second in range(5):
        assert len(parser.feed(frame(FIN | TEXT, b"3") * 10, second * 1.01)) == 10
    assert len(parser.feed(frame(FIN | TEXT, b"3") * 11, 99.0)) == 10
    assert parser.violation is CLOSE_FLOOD


@pytest.mark.parametrize("size_bytes", [1, 119, 120, 125, 126, 127, 200, 255, 256, 65_535])
def test_a_lone_text_is_read_as_by_feed(size_bytes: int) -> None:
    data = frame(FIN | TEXT, b"x" * size_bytes)
    assert _parser().lone_text(data, 0) == b"x" * size_bytes
    assert _parser().feed(data, 0) == [(TEXT, b"x" * size_bytes)]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        frame(FIN | TEXT),
        frame(FIN | TEXT, "é".encode()),
        frame(FIN | BINARY, b"x"),
        frame(FIN | PING, b"x"),
        frame(TEXT, b"x"),
        frame(FIN | TEXT, b"x" * 65_536),
        frame(FIN | TEXT, b"x" * 300)[:-1],
        frame(FIN | TEXT, b"x") * 2,
        frame(FIN | TEXT, b"x" * 200) + b"\x81",
        b"\x81\x05hello",
        b"\x81\xfe\x00\x05" + b"\x00" * 4 + b"hello",
    ],
)
def test_anything_else_is_left_to_be_fed(data: bytes) -> None:
    assert _parser().lone_text(data, 0) == b""


def test_a_lone_text_is_none_in_the_middle_of_something_over_a_limit_or_after_the_end() -> None:
    text = frame(FIN | TEXT, b"x")
    for before in (text[:3], frame(TEXT, b"x"), frame(FIN | CLOSE)):
        parser = _parser()
        parser.feed(before, 0)
        assert parser.lone_text(text, 0) == b""
    assert _parser(max_message_bytes=9).lone_text(frame(FIN | TEXT, b"x" * 10), 0) == b""
    counting = _parser(max_frames_per_s=2)
    assert [counting.lone_text(text, 0) for _ in range(3)] == [b"x", b"x", b""]
    assert counting.lone_text(text, 1) == b"x"

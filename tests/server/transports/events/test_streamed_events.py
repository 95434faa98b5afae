"""What is written to a stream, and when it ends."""

from __future__ import annotations

import asyncio

from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.protocol.json_events import JsonEvents
from server.transports.events.cursor import Position
from server.transports.events.streamed_events import StreamedEvents

CODEC = JsonEvents(iter("xyz").__next__)
POSITIONS = {"/chat": Position("p", None), "/feed": Position("q", "b.0")}


class Socket(asyncio.WriteTransport):
    """The write buffer of a socket whose client may not read."""

    def __init__(self) -> None:
        super().__init__()
        self.buffered_bytes = 0
        self.is_aborted = False

    def get_write_buffer_size(self) -> int:
        return self.buffered_bytes

    def abort(self) -> None:
        self.is_aborted = True


def started(socket: Socket) -> StreamedEvents:
    events = StreamedEvents(socket, max_unread_bytes=1_000)
    events.start(POSITIONS, told=b"")
    return events


async def test_an_event_has_the_cursor_after_it() -> None:
    events = started(Socket())
    events.write(CODEC.encode_event("/chat", "said", b"1", "a.1"))
    events.write(CODEC.encode_event("/feed", "hint", b"2"))
    assert (await events.take(1)).decode() == (
        "id: p~a.1~q~b.0\nevent: said\n"
        'data: {"id":"a.1","namespace":"/chat","name":"said","data":1}\n\n'
        "id: p~a.1~q~b.0\nevent: hint\n"
        'data: {"id":"x","namespace":"/feed","name":"hint","data":2}\n\n'
    )


async def test_events_before_the_start_come_after_what_is_told_first() -> None:
    events = StreamedEvents(Socket(), max_unread_bytes=1_000)
    events.write(CODEC.encode_event("/chat", "dropped", b"1", "a.1"))
    events.clear()
    events.write(CODEC.encode_event("/chat", "said", b"1", "a.2"))
    events.start(POSITIONS, told=b"first\n\n")
    assert (await events.take(1)).startswith(b"first\n\nid: p~a.2~q~b.0\n")


async def test_other_packets_mean_nothing_and_a_silent_time_ends_a_wait() -> None:
    events = started(Socket())
    events.write(CODEC.encode_connect("/chat", "sid", "pid"))
    assert await events.take(0.001) == b""
    assert not events.is_closed


async def test_a_close_is_told_last() -> None:
    events = started(Socket())
    events.close(CLOSE_DRAINING)
    events.write(CODEC.encode_event("/chat", "late", b"1", "a.1"))
    assert await events.take(1) == b'event: close\ndata: {"code":4012,"reason":"draining","reconnect":true}\n\n'
    assert await events.take(1) == b""
    assert events.is_closed


async def test_a_client_that_leaves_too_much_unread_is_cut_off() -> None:
    socket = Socket()
    events = started(socket)
    stalls: list[bool] = []
    events.call_when_stalled(lambda: stalls.append(True))
    events.write(CODEC.encode_event("/chat", "large", b'"' + b"x" * 2_000 + b'"', "a.1"))
    assert stalls == [], "one event may be of any size"
    socket.buffered_bytes = 900
    await events.take(1)
    events.write(CODEC.encode_event("/chat", "said", b'"' + b"x" * 200 + b'"', "a.2"))
    assert stalls == [True] and socket.is_aborted and events.is_closed
    assert await events.take(1) == b""

"""The memory of what a client has not fetched yet."""

from __future__ import annotations

import asyncio

import pytest

from realtime.identity import Identity
from server.event_streams import EVENT_OVERHEAD_BYTES, MAX_KEPT_BYTES, MAX_STREAMS_PER_LOGIN, EventStream, EventStreams

LONG_S = 30.0


def identity(login_session_id: int = 1) -> Identity:
    return Identity(user_id=7, login_session_id=login_session_id, expires_at_s=2**40)


@pytest.fixture
def stream() -> EventStream:
    return EventStream(identity(), ("/chat", "/feed"), now_s=0.0)


def say(stream: EventStream, *words: bytes) -> None:
    for word in words:
        stream.members[0].send("said", word)


async def numbers(stream: EventStream) -> list[int]:
    return [event.number for event in await stream.wait(0)]


async def test_pushes_of_all_namespaces_stand_in_one_order(stream: EventStream) -> None:
    chat, feed = stream.members
    chat.send("said", b"1")
    feed.send("new", b"2")
    chat.send("said", b"3")
    assert [tuple(event) for event in await stream.wait(0)] == [
        (1, "/chat", "said", b"1"),
        (2, "/feed", "new", b"2"),
        (3, "/chat", "said", b"3"),
    ]


async def test_what_is_not_confirmed_is_given_again(stream: EventStream) -> None:
    say(stream, b"1", b"2", b"3")
    assert await numbers(stream) == await numbers(stream) == [1, 2, 3]
    assert stream.confirm(2)
    assert await numbers(stream) == [3]
    assert stream.confirm(2), "a cursor may be repeated"
    assert await numbers(stream) == [3]


async def test_a_number_that_is_gone_or_never_was_is_not_confirmed(stream: EventStream) -> None:
    say(stream, b"1", b"2")
    assert stream.confirm(2)
    assert not stream.confirm(1)
    assert not stream.confirm(3)
    assert stream.confirm(2)


async def test_memory_is_bounded_whatever_the_size_of_the_events(stream: EventStream) -> None:
    for size_bytes in (1, 50_000):
        count = 2 * MAX_KEPT_BYTES // (size_bytes + EVENT_OVERHEAD_BYTES)
        say(stream, *(b"x" * size_bytes for _ in range(count)))
        kept = await stream.wait(0)
        assert MAX_KEPT_BYTES // 2 < sum(len(event.data) + EVENT_OVERHEAD_BYTES for event in kept) <= MAX_KEPT_BYTES
        assert not stream.confirm(kept[0].number - 2), "what came after it is dropped"
        assert stream.confirm(kept[0].number - 1)
    say(stream, b"x" * (MAX_KEPT_BYTES + 1))
    assert await numbers(stream) == []


async def test_a_wait_ends_with_the_first_event(stream: EventStream) -> None:
    waiting = asyncio.create_task(stream.wait(LONG_S))
    await asyncio.sleep(0)
    assert stream.waiting
    say(stream, b"1", b"2")
    assert [event.number for event in await waiting] == [1, 2]
    assert not stream.waiting


async def test_a_newer_wait_ends_an_older_one(stream: EventStream) -> None:
    older = asyncio.create_task(stream.wait(LONG_S))
    await asyncio.sleep(0)
    newer = asyncio.create_task(stream.wait(LONG_S))
    assert await older == ()
    assert stream.waiting
    say(stream, b"1")
    assert len(await newer) == 1


async def test_a_wait_that_is_given_up_is_no_wait(stream: EventStream) -> None:
    assert await stream.wait(0.001) == ()
    waiting = asyncio.create_task(stream.wait(LONG_S))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert not stream.waiting


async def test_a_stream_belongs_to_its_login_session(stream: EventStream) -> None:
    streams = EventStreams()
    streams.add(stream)
    assert streams.find(stream.key, identity()) is stream
    assert streams.find(stream.key, identity(2)) is None
    assert streams.find("no such key", identity()) is None


async def test_too_many_streams_of_one_login_displace_the_oldest() -> None:
    streams = EventStreams()
    others = EventStream(identity(2), (), now_s=0.0)
    streams.add(others)
    mine = [EventStream(identity(), (), now_s=0.0) for _ in range(MAX_STREAMS_PER_LOGIN + 1)]
    for stream in mine[:-1]:
        assert list(streams.add(stream)) == []
    assert list(streams.add(mine[-1])) == mine[:1]


async def test_a_removed_stream_ends_its_wait(stream: EventStream) -> None:
    streams = EventStreams()
    streams.add(stream)
    waiting = asyncio.create_task(stream.wait(LONG_S))
    await asyncio.sleep(0)
    streams.remove(stream)
    assert await waiting == () and stream.closed
    assert await stream.wait(LONG_S) == (), "nothing comes any more"
    assert streams.all() == []


async def test_idle_are_those_that_nobody_polls(stream: EventStream) -> None:
    streams = EventStreams()
    streams.add(stream)
    assert streams.idle(before_s=0.0) == []
    assert streams.idle(before_s=1.0) == [stream]
    waiting = asyncio.create_task(stream.wait(LONG_S))
    await asyncio.sleep(0)
    assert streams.idle(before_s=1.0) == []
    stream.wake()
    await waiting

"""What one poll collects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import orjson

from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.protocol.json_events import JsonEvents
from realtime.engine.replay.push_ids import PushIds
from server.transports.events.polled_events import PolledEvents

LONG_S = 30.0
CODEC = JsonEvents(PushIds().make)


async def test_events_stand_in_one_order_with_the_last_offset_of_each_namespace() -> None:
    events = PolledEvents()
    events.write(CODEC.encode_connect("/chat", "sid", "pid"))
    events.write(CODEC.encode_event("/chat", "said", b'{"text":"one, two"}', "a.1"))
    events.write(CODEC.encode_event("/feed", "new", b"2", "b.1"))
    events.write(CODEC.encode_event("/chat", "typing", b"3", None))
    events.write(CODEC.encode_event("/chat", "said", b"4", "a.2"))
    told = [orjson.loads(item) for item in events.items]
    assert [(event["namespace"], event["name"], event["data"]) for event in told] == [
        ("/chat", "said", {"text": "one, two"}),
        ("/feed", "new", 2),
        ("/chat", "typing", 3),
        ("/chat", "said", 4),
    ]
    assert [told[0]["id"], told[1]["id"], told[3]["id"]] == ["a.1", "b.1", "a.2"] and told[2]["id"]
    assert events.offsets == {"/chat": "a.2", "/feed": "b.1"}


async def test_an_answer_to_a_connect_and_pushes_that_are_left_out_end_no_poll() -> None:
    events = PolledEvents(frozenset(("token:expiring",)))
    events.write(CODEC.encode_connect("/chat", "sid", "pid"))
    events.write(CODEC.encode_event("/chat", "token:expiring", b"{}", None))
    events.write(Outgoing(b"2"))
    await events.wait(0.001)
    assert events.items == []


async def test_the_first_event_ends_a_wait_and_so_does_the_end() -> None:
    said = CODEC.encode_event("/chat", "said", b"1", "a.1")
    ends: list[Callable[[PolledEvents], None]] = [
        lambda events: events.write(said),
        lambda events: events.close(CLOSE_DRAINING),
        PolledEvents.abort,
        PolledEvents.finish_close,
    ]
    for end in ends:
        events = PolledEvents()
        waiting = asyncio.create_task(events.wait(LONG_S))
        await asyncio.sleep(0)
        assert not waiting.done()
        end(events)
        await asyncio.wait_for(waiting, LONG_S / 2)


async def test_what_was_taken_back_is_not_told() -> None:
    events = PolledEvents()
    events.write(CODEC.encode_event("/chat", "said", b"1", "a.1"))
    events.clear()
    await events.wait(0.001)
    assert (events.items, events.offsets) == ([], {})

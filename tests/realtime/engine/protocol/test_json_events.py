"""Pushes as the JSON objects of `GET /v1/events`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.protocol.json_events import JsonEvent, JsonEvents

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def _counter() -> Callable[[], str]:
    numbers = itertools.count()
    return lambda: f"made.{next(numbers)}"


def _event(codec: JsonEvents, push: EncodedPush) -> JsonEvent:
    packet = push.packet(codec, with_offset=True)
    assert isinstance(packet, JsonEvent)
    return packet


@given(st.text(), st.text(), values, st.none() | st.text(min_size=1))
def test_an_event_is_the_same_bytes_as_the_encoded_object(
    namespace: str, name: str, data: Any, push_id: str | None
) -> None:
    event = _event(JsonEvents(lambda: "made"), EncodedPush(namespace, name, orjson.dumps(data), push_id))
    expected = {"id": "made" if push_id is None else push_id, "namespace": namespace, "name": name, "data": data}
    assert event.payload == orjson.dumps(expected)
    assert (event.namespace, event.name, event.offset) == (namespace, name, push_id)


def test_a_push_is_encoded_once_for_all_polls() -> None:
    codec = JsonEvents(_counter())
    for push in (EncodedPush("/chat", "said", b"1", "a.1"), EncodedPush("/chat", "typing", b"1")):
        assert _event(codec, push) is _event(codec, push)


def test_pushes_without_an_id_get_different_ones() -> None:
    codec = JsonEvents(_counter())
    events = [_event(codec, EncodedPush("/chat", "typing", b"1")) for _ in range(2)]
    assert [orjson.loads(event.payload)["id"] for event in events] == ["made.0", "made.1"]


def test_other_packets_are_no_events() -> None:
    codec = JsonEvents(_counter())
    packets = [
        codec.encode_connect("/chat", "sid", "pid"),
        codec.encode_connect_error("/chat", "no"),
        codec.encode_ack("/chat", b"1", b"{}"),
        codec.encode_disconnect("/chat"),
    ]
    assert not any(isinstance(packet, JsonEvent) for packet in packets)

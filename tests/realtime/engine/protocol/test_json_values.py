import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.engine.protocol.json_values import NestedTooDeep, parse_unusual_json
from realtime.engine.protocol.packets import decode_packet

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@given(JSON)
def test_what_json_encodes_is_read_back(value: Any) -> None:
    packet = decode_packet(b'2["event",' + json.dumps(value).encode() + b"]")
    assert packet.args == [json.loads(json.dumps(value))]


@given(st.text(st.characters(), max_size=20))
def test_text_with_lone_surrogates_is_read_as_python_reads_it(text: str) -> None:
    assert parse_unusual_json(json.dumps(text + "\ud800").encode()) == text + "\ud800"


@given(st.binary(max_size=30))
def test_bytes_are_a_value_or_a_value_error(text: bytes) -> None:
    try:
        parse_unusual_json(text)
    except ValueError:
        pass  # the other promised outcome


@pytest.mark.parametrize(
    "text", [b"NaN", b"[Infinity]", b"-Infinity", b"", b"[1,]", b'"\x01"', b'"\xff"', b"\xef\xbb\xbf1"]
)
def test_what_is_not_json_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        parse_unusual_json(text)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_that_could_exhaust_the_stack_is_refused_unread(opening: bytes) -> None:
    with pytest.raises(NestedTooDeep):
        parse_unusual_json(opening * 200_000)


def test_an_integer_past_64_bits_is_a_float_beside_a_lone_surrogate_too() -> None:
    assert parse_unusual_json(rb'["\ud800", 99999999999999999999]') == ["\ud800", 1e20]

"""Envelopes are unpacked as they were packed, and no other body is taken for one."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.contract.packed_ids import pack_ids
from realtime.pubsub.backplane import MAX_BODY_BYTES
from realtime.pubsub.envelope import (
    MAX_IDS_PER_ENVELOPE,
    Envelope,
    LoginRevocation,
    Restoration,
    RoomClosure,
    RoomJoin,
    RoomPush,
    SubjectClosure,
    TopicPush,
    Withdrawal,
    chunks,
    pack,
    unpack,
)

IDS = st.integers(0, 2**63 - 1)
MANY_IDS = st.lists(IDS, max_size=50).map(tuple)
TEXT = st.text(max_size=30)
DATA = st.binary(max_size=100)
SUBJECTS = st.lists(st.tuples(TEXT, IDS), max_size=4).map(tuple)
ENVELOPES = (
    st.builds(RoomPush, TEXT, TEXT, DATA, st.none() | TEXT, SUBJECTS, MANY_IDS.map(pack_ids))
    | st.builds(TopicPush, TEXT, TEXT, DATA, TEXT, MANY_IDS.map(pack_ids), st.none() | TEXT, SUBJECTS)
    | st.builds(Withdrawal, TEXT, st.none() | IDS, st.none() | MANY_IDS.map(pack_ids))
    | st.builds(Restoration, TEXT, st.none() | MANY_IDS.map(pack_ids))
    | st.builds(RoomClosure)
    | st.builds(SubjectClosure, TEXT)
    | st.builds(RoomJoin, TEXT, TEXT, IDS, st.booleans())
    | st.builds(LoginRevocation, MANY_IDS)
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | TEXT | DATA,
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(TEXT, inner, max_size=3),
)


@given(ENVELOPES)
def test_an_envelope_is_unpacked_as_it_was_packed(envelope: Envelope) -> None:
    assert unpack(pack(envelope)) == envelope


@given(ENVELOPES)
def test_no_envelope_looks_like_a_message_of_the_backplane_to_itself(envelope: Envelope) -> None:
    assert not pack(envelope).startswith(b"\x00")


@given(DATA | VALUES.map(msgpack.packb) | st.lists(VALUES, min_size=1, max_size=6).map(msgpack.packb))
def test_any_other_body_is_unpacked_or_raises_value_error(body: bytes) -> None:
    try:
        unpack(body)
    except ValueError:
        pass


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgpack.packb([]),
        msgpack.packb([9, "/chat"]),
        msgpack.packb([0, "/chat", "said"]),
        msgpack.packb([0, "/chat", "said", "text"]),
        msgpack.packb([3, b"1234567"]),
        msgpack.packb([0, "/chat", "said", b"{}", None, [["post:1"]], b""]),
        msgpack.packb([0, "/chat", "said", b"{}", None, [], b"1"]),
        msgpack.packb([1, "/feed", "said", b"{}", "feed", b"123456789", None, []]),
        msgpack.packb([4, "post:1", None, b"1"]),
        msgpack.packb([5, "post:1", b"1"]),
        msgpack.packb([7, None]),
        pack(LoginRevocation([1])) + b"\x00",
        pack(LoginRevocation([1]))[:-1],
    ],
)
def test_a_body_that_is_no_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        unpack(body)


@given(st.integers(0, 5 * MAX_IDS_PER_ENVELOPE))
def test_chunks_are_all_ids_in_order(count: int) -> None:
    parts = list(chunks(range(count)))
    assert [number for part in parts for number in part] == list(range(count))
    assert all(0 < len(part) <= MAX_IDS_PER_ENVELOPE for part in parts)


def test_a_full_chunk_leaves_most_of_a_message_to_the_push() -> None:
    ids = [2**63 - 1] * MAX_IDS_PER_ENVELOPE
    assert len(pack(TopicPush("/feed", "feed:new", b"", "feed", pack_ids(ids)))) < MAX_BODY_BYTES / 3

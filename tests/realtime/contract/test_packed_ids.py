"""Ids come out of a packed list as they went in, and a packed list is searched without unpacking."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.contract.packed_ids import ID_BYTES, contains_id, pack_ids, unpack_ids

# Few different bytes, so that the bytes of two neighbours often look like another id.
SIMILAR_IDS = st.lists(st.sampled_from([0, 1]), min_size=ID_BYTES, max_size=ID_BYTES).map(
    lambda parts: int.from_bytes(bytes(parts), "big")
)
ANY_ID = SIMILAR_IDS | st.integers(0, 2**64 - 1)
IDS = st.lists(ANY_ID, max_size=40)


@given(IDS)
def test_unpacking_gives_back_the_packed_ids_in_order(ids: list[int]) -> None:
    packed = pack_ids(ids)
    assert unpack_ids(packed) == tuple(ids)
    assert len(packed) == ID_BYTES * len(ids)


@given(IDS, IDS)
def test_packed_lists_are_joined_by_joining_their_bytes(first: list[int], second: list[int]) -> None:
    assert unpack_ids(pack_ids(first) + pack_ids(second)) == (*first, *second)


@given(st.binary(max_size=10 * ID_BYTES))
def test_bytes_are_either_a_packed_list_or_refused(packed: bytes) -> None:
    if len(packed) % ID_BYTES:
        with pytest.raises(ValueError, match="middle of an id"):
            unpack_ids(packed)
    else:
        assert pack_ids(unpack_ids(packed)) == packed


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_does_not_fit_into_an_id_is_refused(number: int) -> None:
    with pytest.raises(struct.error):
        pack_ids([number])


@given(IDS, ANY_ID)
def test_a_packed_list_contains_exactly_its_ids(ids: list[int], other: int) -> None:
    packed = pack_ids(ids)
    assert contains_id(packed, pack_ids([other])) is (other in ids)
    assert all(contains_id(packed, pack_ids([one])) for one in ids)


def test_bytes_of_two_neighbours_are_not_taken_for_an_id() -> None:
    packed = pack_ids([1, 0])
    assert not contains_id(packed, pack_ids([1 << 32]))
    assert contains_id(pack_ids([1, 0, 1 << 32]), pack_ids([1 << 32]))


@given(st.lists(st.sampled_from([0, 1, 2**8, 2**16, 2**56, 257]), max_size=12))
def test_ids_that_overlap_are_distinguished(ids: list[int]) -> None:
    for one in (0, 1, 2**8, 2**16, 2**24, 2**56, 257):
        assert contains_id(pack_ids(ids), pack_ids([one])) is (one in ids)

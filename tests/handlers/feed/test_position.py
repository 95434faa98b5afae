import datetime
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from handlers.feed.contract import EXAMPLE_POSITION, SyncFeed
from handlers.feed.position import OVERLAP_MS, position_at, position_of, sync_floor
from sql.ids import EPOCH_MS, MAX_ID, id_floor_ms, ms_of_id

moments_ms = st.integers(0, ms_of_id(MAX_ID))


def read_back(position: str) -> int:
    return SyncFeed.model_validate({"after": position}).after


def at(unix_ms: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(0, datetime.UTC) + datetime.timedelta(milliseconds=unix_ms)


@given(unix_ms=moments_ms)
def test_a_position_decodes_to_its_moment(unix_ms: int) -> None:
    assert abs(read_back(position_at(at(unix_ms))) - unix_ms) <= 1  # a datetime's float may round a millisecond away


@given(post_id=st.integers(0, MAX_ID))
def test_the_position_of_a_post_is_the_moment_of_its_id(post_id: int) -> None:
    assert read_back(position_of(post_id)) == ms_of_id(post_id)


@given(unix_ms=st.integers(EPOCH_MS + OVERLAP_MS, ms_of_id(MAX_ID)))
def test_reading_on_goes_back_by_the_overlap(unix_ms: int) -> None:
    assert sync_floor(unix_ms) == id_floor_ms(unix_ms - OVERLAP_MS)
    assert ms_of_id(sync_floor(unix_ms)) == unix_ms - OVERLAP_MS


def test_positions_before_the_first_id_read_everything() -> None:
    assert sync_floor(0) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "1",
        "2kq0x3c7y",
        "1KQ0X3C7Y",
        "1kq0x3c7yzz",
        "1zzzzzzzzz",
        " 1kq0x3c7y",
        "1kq0x3c7y\n",
        "1kq_0x3",
        "1-5",
        "1٣",
        "0",
        1,
        None,
        ["1kq0x3c7y"],
    ],
)
def test_what_no_feed_answered_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        SyncFeed.model_validate({"after": wrong})


def test_the_declared_form_fits_what_is_answered() -> None:
    pattern = SyncFeed.model_json_schema()["properties"]["after"]["pattern"]
    for position in (position_of(0), position_of(MAX_ID), EXAMPLE_POSITION):
        assert re.fullmatch(pattern, position)
        read_back(position)

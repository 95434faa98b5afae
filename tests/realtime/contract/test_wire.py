"""What goes over the wire: ids, text, times, answers."""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from realtime.contract.errors import CONFLICT, RATE_LIMITED, CommandError
from realtime.contract.wire import (
    NOTHING,
    ClientId,
    Empty,
    Id,
    Model,
    Page,
    PageLimit,
    Payload,
    TextRule,
    WireId,
    answer_error,
    answer_ok,
    encode_model,
    unix_ms,
)

MAX_WIRE_ID = 9 * 10**18 - 1


class Named(Payload):
    thing_id: Id
    name: Annotated[str, TextRule(5)] | None = None
    limit: PageLimit | None = None


class Thing(Model):
    id: WireId
    name: str | None = None
    other: Thing | None = None


def text(value: str, longest: int = 10, *, shortest: int = 1, lines: bool = False) -> str:
    return TypeAdapter(Annotated[str, TextRule(longest, shortest=shortest, lines=lines)]).validate_python(value)


@given(st.integers(0, MAX_WIRE_ID))
def test_an_id_is_read_as_the_server_sent_it(number: int) -> None:
    sent = json.loads(encode_model(Thing(id=number)))
    assert sent == {"id": str(number)}
    assert Named.model_validate({"thing_id": sent["id"]}).thing_id == number


@pytest.mark.parametrize(
    "value",
    [
        "",
        "00",
        "01",
        "0000000000000000001",
        "-1",
        "+1",
        " 1",
        "1 ",
        "1\n",
        "1_000",
        "1.0",
        "1e3",
        "0x1",
        "abc",
        "9000000000000000000",
        "9223372036854775808",
        "99999999999999999999",
        "١٢٣",
        "１２３",
        "²",
        1,
        1.0,
        True,
        None,
        ["1"],
        b"1",
    ],
)
def test_any_other_value_is_no_id(value: object) -> None:
    with pytest.raises(ValidationError, match="must be an id"):
        Named.model_validate({"thing_id": value})


@given(st.text(st.sampled_from("0123456789")) | st.text())
def test_the_published_pattern_of_an_id_takes_what_is_taken(value: str) -> None:
    pattern = TypeAdapter(Id).json_schema()["pattern"].removesuffix("$")
    fits = re.fullmatch(pattern, value) is not None
    try:
        Named.model_validate({"thing_id": value})
    except ValidationError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("value", ["a\0b", "a\x07", "a\x7f", "a\x9f", "\x1b[31m", "a\ud800", "\udfff"])
@pytest.mark.parametrize("lines", [True, False])
def test_text_holds_no_control_characters_and_no_surrogates(value: str, lines: bool) -> None:
    with pytest.raises(ValidationError, match="control characters or lone surrogates"):
        text(value, lines=lines)


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb", "a\tb"])
def test_newlines_and_tabs_stand_only_in_text_of_several_lines(value: str) -> None:
    assert text(value, lines=True) == value
    with pytest.raises(ValidationError):
        text(value)


INVISIBLE = ["\u200b", " \u200d\u2060 ", "\u3164", "\u2800\u00ad", "\ufe0f", "\U000e0041"]


@pytest.mark.parametrize("value", ["", " ", "\u00a0\u2003", "\u3000 ", *INVISIBLE])
def test_text_without_a_visible_character_is_empty(value: str) -> None:
    with pytest.raises(ValidationError, match="at least 1"):
        text(value)
    assert text(value, shortest=0) == value


@pytest.mark.parametrize("value", ["\u2764\ufe0f", "\U0001f468\u200d\U0001f469", "\u200fa\u200e", "\u0600", "."])
def test_joiners_and_direction_marks_may_stand_among_visible_characters(value: str) -> None:
    assert text(value) == value


@pytest.mark.parametrize("control", "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
def test_names_lose_controls_of_direction_and_texts_keep_them_closed(control: str) -> None:
    assert text(f"a{control}b") == "ab"
    assert text(f"e{control}\u0301") == "é"
    closed = text(f"a{control}b", lines=True)
    assert closed.startswith(f"a{control}b") or closed == "ab"
    with pytest.raises(ValidationError, match="at least 1"):
        text(control, lines=True)


def test_length_is_counted_after_normalisation() -> None:
    assert text("e\u0301" * 10) == "é" * 10
    assert text("\U0001f600" * 10) == "\U0001f600" * 10
    with pytest.raises(ValidationError, match="at most 10"):
        text("e\u0301" * 11)
    with pytest.raises(ValidationError, match="at most 10"):
        text("\u0958" * 6)  # becomes two characters each


@given(st.text(max_size=30))
def test_accepted_text_is_clean_and_accepted_again(value: str) -> None:
    try:
        taken = text(value, 30, lines=True)
    except ValidationError:
        return
    assert unicodedata.is_normalized("NFC", taken)
    assert taken.encode() and taken.strip() and len(taken) <= 30
    assert text(taken, 30, lines=True) == taken


def test_the_schema_tells_the_lengths() -> None:
    schema = TypeAdapter(ClientId).json_schema()
    assert (schema["type"], schema["minLength"], schema["maxLength"]) == ("string", 1, 64)


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"thing_id": "1", "surprise": 1},
        {"thing_id": "1", "name": 5},
        {"thing_id": "1", "limit": "5"},
        {"thing_id": "1", "limit": 5.5},
        {"thing_id": "1", "limit": 1e300},
        {"thing_id": "1", "limit": float("nan")},
        {"thing_id": "1", "limit": True},
        {"thing_id": "1", "limit": 0},
        {"thing_id": "1", "limit": 101},
    ],
)
def test_a_payload_is_accepted_unchanged_or_refused(payload: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Named.model_validate(payload)


def test_a_whole_number_may_be_written_as_a_fraction() -> None:
    """JSON and its schemas have one kind of numbers: 5.0 is 5."""
    assert repr(Named.model_validate({"thing_id": "1", "limit": 5.0}).limit) == "5"


def test_a_payload_without_fields_takes_nothing() -> None:
    assert Empty.model_validate({}) == Empty()
    with pytest.raises(ValidationError):
        Empty.model_validate({"a": 1})


def test_fields_that_are_none_are_left_out_at_any_depth() -> None:
    assert json.loads(encode_model(Thing(id=1, other=Thing(id=2)))) == {"id": "1", "other": {"id": "2"}}
    assert encode_model(NOTHING) == b"{}"
    assert json.loads(encode_model(Page[Thing](items=[Thing(id=1)]))) == {"items": [{"id": "1"}]}


@given(st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC)))
def test_times_are_whole_milliseconds(moment: datetime.datetime) -> None:
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    assert unix_ms(moment) == (moment - start) // datetime.timedelta(milliseconds=1)


def test_answers() -> None:
    assert json.loads(answer_ok(encode_model(Thing(id=1)))) == {"ok": True, "data": {"id": "1"}}
    assert json.loads(answer_error(CommandError(CONFLICT, fields={"text": "is taken"}))) == {
        "ok": False,
        "error": {
            "code": "conflict",
            "message": CONFLICT.message,
            "retryable": False,
            "fields": {"text": "is taken"},
        },
    }
    assert json.loads(answer_error(CommandError(RATE_LIMITED, "Slowly", retry_after_ms=250))) == {
        "ok": False,
        "error": {"code": "rate_limited", "message": "Slowly", "retryable": True, "retry_after_ms": 250},
    }


def test_exactly_the_control_characters_and_surrogates_are_refused() -> None:
    everything = "".join(map(chr, range(0x110000)))
    unclean = [character for character in everything if unicodedata.category(character) in ("Cc", "Cs")]
    assert TextRule(1).unclean.findall(everything) == unclean
    in_lines = [character for character in unclean if character not in "\n\r\t"]
    assert TextRule(1, lines=True).unclean.findall(everything) == in_lines

"""Types of the wire: strict payload models, ids as decimal strings, clean text, pages, and the answer envelope."""

from __future__ import annotations

import datetime
import re
import unicodedata
from typing import Annotated, Final, Generic, TypeVar

import orjson
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic_core import CoreSchema, core_schema

from realtime.contract.bidi_controls import balanced, without_bidi_controls
from realtime.contract.errors import CommandError
from realtime.contract.text_pattern import text_pattern

MAX_ID = 2**63 - 1
PAGE_LIMIT_MAX = 100
PAGE_LIMIT_DEFAULT = 20
PAGE_OFFSET_MAX = 1_000


class Payload(BaseModel):
    """Base of what a client sends: values are not coerced, unknown keys are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Model(BaseModel):
    """Base of what the server sends. Fields that are None are left out on the wire."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Empty(Payload):
    """A payload without fields."""


class Nothing(Model):
    """An answer without fields: `{}`."""


NOTHING: Final = Nothing()


ID_PATTERN: Final = "^(0|[1-9][0-9]{0,17}|[1-8][0-9]{18})$"
"""Below 9 * 10**18, so that a pattern can say it: ids of a moment before 2092."""
_ID: Final = re.compile(ID_PATTERN[1:-1])


def _parse_id(value: object) -> int:
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise ValueError("must be an id: a decimal string")
    return int(value)


_ID_SCHEMA: Final = {"type": "string", "pattern": ID_PATTERN, "examples": ["185604284416000001"]}

Id = Annotated[int, BeforeValidator(_parse_id), WithJsonSchema(_ID_SCHEMA)]
"""An id that a client sends: a decimal string on the wire, an int inside."""

WireId = Annotated[
    int,
    PlainSerializer(str, return_type=str, when_used="always"),
    WithJsonSchema(_ID_SCHEMA, mode="serialization"),
]
"""An id that the server sends: an int inside, a decimal string on the wire (JavaScript has no 64-bit integers)."""


_UNIX_EPOCH: Final = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
_MILLISECOND: Final = datetime.timedelta(milliseconds=1)


def unix_ms(moment: datetime.datetime) -> int:
    """A time as it stands on the wire: whole milliseconds since 1970-01-01 UTC."""
    return (moment - _UNIX_EPOCH) // _MILLISECOND


_UNCLEAN: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""Unicode's categories Cc and Cs."""
_UNCLEAN_IN_LINES: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_VISIBLE: Final = re.compile(
    "[^\\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Any visible character: no white space, nothing that Unicode calls default-ignorable, no blank symbol."""


class TextRule:
    """Type of clean text, as `Annotated[str, TextRule(longest)]`: NFC, no control characters, no lone surrogates.

    Lengths are counted in characters after normalisation; text without a visible character counts as empty. `lines`
    allows newlines and tabs, and controls of text direction, which are closed where the text leaves them open; without
    `lines` (in names and titles) these controls are left out.
    """

    def __init__(self, longest: int, *, shortest: int = 1, lines: bool = False) -> None:
        self.longest = longest
        self.shortest = shortest
        self.lines = lines
        self.unclean = _UNCLEAN_IN_LINES if lines else _UNCLEAN

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._clean, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        pattern = text_pattern(self.shortest, lines=self.lines)
        return {**handler(schema), "minLength": self.shortest, "maxLength": self.longest, "pattern": pattern}

    def _clean(self, value: str) -> str:
        if self.unclean.search(value):
            raise ValueError("must not hold control characters or lone surrogates")
        text = unicodedata.normalize("NFC", balanced(value) if self.lines else without_bidi_controls(value))
        if len(text) > self.longest:
            raise ValueError(f"must have at most {self.longest} characters")
        visible_length = len(text.strip()) if _VISIBLE.search(text) else 0
        if visible_length < self.shortest:
            raise ValueError(f"must have at least {self.shortest} characters")
        return text


ClientId = Annotated[
    str,
    TextRule(64),
    Field(
        description="Chosen by the client: a retry with the same one is answered with what was created, as it is now."
    ),
]
"""An id that the client chooses for what it creates: a retry with the same one is answered with it as it is now."""


def _without_fraction(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_without_fraction)
"""For a whole number that a client sends, as `Annotated[int, Field(ge=1), WHOLE]`: 5.0 is 5 in JSON and its schemas."""


LAST_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

MomentMs = Annotated[int, Field(ge=0, le=LAST_MS, description="Milliseconds since 1970-01-01 UTC."), WHOLE]
"""A time that a client sends; see `moment_of`."""


def moment_of(unix_ms: int) -> datetime.datetime:
    """The time that stands so on the wire."""
    return _UNIX_EPOCH + unix_ms * _MILLISECOND


class OneTypeOf:
    """Type of a value that may have several types, as `Annotated[bool | str, OneTypeOf("must be …")]`.

    Any other value gets this one error, in place of one for each of the types.
    """

    def __init__(self, error: str) -> None:
        self.error = error

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.custom_error_schema(handler(source), "one_type_of", custom_error_message=self.error)


PageLimit = Annotated[
    int,
    Field(
        ge=1, le=PAGE_LIMIT_MAX, description=f"How many items at most; usually {PAGE_LIMIT_DEFAULT} where it is absent."
    ),
    WHOLE,
]
PageOffset = Annotated[
    int,
    Field(ge=0, le=PAGE_OFFSET_MAX, description="How many items to skip, for clients without cursors."),
    WHOLE,
]
"""How many items to skip, for clients without cursors: items added between pages make others appear twice."""

ItemT = TypeVar("ItemT")


class Page(Model, Generic[ItemT]):
    """A page of a list. `next_cursor` is absent on the last page."""

    items: list[ItemT]
    next_cursor: str | None = None


def encode_model(model: BaseModel) -> bytes:
    """JSON of a model as it stands on the wire; fields that are None are left out."""
    return model.__pydantic_serializer__.to_json(model, exclude_none=True)


def answer_ok(data: bytes) -> bytes:
    """The answer of a command that succeeded; `data` is encoded JSON."""
    return b'{"ok":true,"data":' + data + b"}"


def answer_error(error: CommandError) -> bytes:
    """The answer of a command that failed."""
    body: dict[str, object] = {
        "code": error.code.code,
        "message": error.message,
        "retryable": error.code.retryable,
    }
    if error.retry_after_ms is not None:
        body["retry_after_ms"] = error.retry_after_ms
    if error.fields is not None:
        body["fields"] = dict(error.fields)
    return orjson.dumps({"ok": False, "error": body})

"""Answers that are put together from parts that are encoded already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import orjson
from pydantic import BaseModel

from realtime.contract.wire import Page, encode_model

ModelT = TypeVar("ModelT", bound=BaseModel)
PageT = TypeVar("PageT", bound=Page[Any])


class Encoded(NamedTuple, Generic[ModelT]):
    """The JSON of a model as `encode_model` writes it, in the place of the model."""

    json: bytes


def encode_answer(data: BaseModel | Encoded[Any]) -> bytes:
    """JSON of an answer, which may be encoded already."""
    return data.json if isinstance(data, Encoded) else encode_model(data)


def encoded(_model: type[ModelT], **fields: bytes | None) -> Encoded[ModelT]:
    """A model of fields in JSON, in its own order; None: the field is absent."""
    return Encoded(json_object({name: json for name, json in fields.items() if json is not None}))


def encoded_page(_model: type[PageT], items: Iterable[bytes], next_cursor: str | None, **more: bytes) -> Encoded[PageT]:
    """A page of items in JSON; `more` are the fields that this kind of page has beside those of all pages."""
    if next_cursor is not None:
        more = {"next_cursor": json_of(next_cursor), **more}
    end = b"]," + json_object(more)[1:] if more else b"]}"
    return Encoded(b"".join((b'{"items":[', b",".join(items), end)))


def json_object(fields: Mapping[str, bytes]) -> bytes:
    """An object of values in JSON. The names have no characters that JSON escapes."""
    return b"{" + b",".join([b'"%b":%b' % (name.encode(), json) for name, json in fields.items()]) + b"}"


def json_list(items: Iterable[bytes]) -> bytes:
    """A list of items in JSON."""
    return b"[" + b",".join(items) + b"]"


def json_of(value: str | bool | Sequence[str]) -> bytes:
    """A plain value."""
    return orjson.dumps(value)

"""Rules over several fields of a payload, in JSON Schema: what a validator of the model checks, a client can read.

Each is `json_schema_extra` of its model. The fields are optional texts, so each option says which of them is absent or
null.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic.types import JsonValue

_TEXT: Final[JsonValue] = {"type": "string"}
_ABSENT: Final[JsonValue] = {"type": "null"}


def option(*present: str, absent: tuple[str, ...] = (), **values: JsonValue) -> dict[str, JsonValue]:
    """One way to fill in a payload; `values` are schemas of further fields."""
    properties = {**dict.fromkeys(present, _TEXT), **dict.fromkeys(absent, _ABSENT), **values}
    return {"required": list(present), "properties": properties} if present else {"properties": properties}


def exactly_one_of(one: str, other: str) -> dict[str, Any]:
    return {"anyOf": [option(one, absent=(other,)), option(other, absent=(one,))]}


def at_most_one_of(one: str, other: str) -> dict[str, Any]:
    return {"anyOf": [option(absent=(one,)), option(absent=(other,))]}

"""Reads JSON of clients: every valid text becomes a value, so that an answer can say what is wrong with it."""

from __future__ import annotations

import json
from typing import Never

_MAX_BRACKETS = 512
_MAX_INTEGER_DIGITS = 18


class NestedTooDeep(Exception):
    """The text may be valid JSON, but reading it could exhaust the stack."""


def parse_unusual_json(text: bytes) -> object:
    """The value of a JSON text that orjson refuses, which also refuses valid ones.

    Integers past 64 bits become floats, lone surrogates stay in the string. Raises ValueError for a text that is not
    JSON, NestedTooDeep for one that is refused unread.
    """
    if text.count(b"[") + text.count(b"{") > _MAX_BRACKETS:
        raise NestedTooDeep
    return json.loads(text.decode("utf-8"), parse_int=_parse_integer, parse_constant=_refuse_constant)


def _parse_integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_INTEGER_DIGITS else float(digits)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not JSON")

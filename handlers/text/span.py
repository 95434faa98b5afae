"""A part of a text that means something."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """`start` and `end` count code points; the sign in front (`@`, `#`, `$`) is in the span, not in `value`."""

    value: str
    start: int
    end: int

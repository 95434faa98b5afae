"""A reader's position in the home feed: a moment in time, as an opaque string on the wire.

Ids are not in commit order, so a position is not an id; a read from a position overlaps what was read before.
"""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Final

from pydantic import BeforeValidator, WithJsonSchema

from realtime.contract.wire import unix_ms
from sql.ids import id_floor_ms, ms_of_id

OVERLAP_MS: Final = 60_000
"""Longer than any transaction may last, and than clocks differ, so that it covers late commits."""

_VERSION: Final = "1"
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_WIRE: Final = re.compile(r"1[0-9a-z]{1,9}", re.ASCII)
_MAX_MS: Final = ms_of_id(2**63 - 1)


def position_at(moment: datetime.datetime) -> str:
    """The position of a reader who read the feed at this moment."""
    return _encode(unix_ms(moment))


def position_of(post_id: int) -> str:
    """The position of a reader who got this post and all that were pushed before it."""
    return _encode(ms_of_id(post_id))


def sync_floor(position_ms: int) -> int:
    """A reader at this position may have missed posts with greater ids than this."""
    return id_floor_ms(position_ms - OVERLAP_MS)


def _encode(unix_ms: int) -> str:
    digits = ""
    while unix_ms:
        unix_ms, digit = divmod(unix_ms, 36)
        digits = _DIGITS[digit] + digits
    return _VERSION + (digits or "0")


def _decode(value: object) -> int:
    if not isinstance(value, str) or _WIRE.fullmatch(value) is None:
        raise ValueError("must be a position that the feed answered")
    unix_ms = int(value[len(_VERSION) :], 36)
    if unix_ms > _MAX_MS:
        raise ValueError("must be a position that the feed answered")
    return unix_ms


Position = Annotated[
    int,
    BeforeValidator(_decode),
    WithJsonSchema({"type": "string", "pattern": "^1[0-9a-z]{1,9}$", "examples": ["1kq0x3c7y"]}),
]
"""A position that a client sends: an opaque string on the wire, Unix milliseconds inside."""

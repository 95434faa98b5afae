"""A reader's position in the home feed: a cursor of this one Collection, which `sync:pull` takes as well."""

from __future__ import annotations

from handlers.context import Call
from handlers.cursor import LOST, Progress, read_cursor, write_cursor
from handlers.feed.contract import FEED


def write_position(call: Call, progress: Progress) -> str:
    """For a reader who has come so far."""
    return write_cursor({FEED.name: progress}, call.user_id, call.services.cursor_seal)


def read_position(call: Call, text: str) -> Progress:
    """Raises CommandError `invalid_payload` for a text that was not made for the caller."""
    read = read_cursor(text, call.user_id, call.services.cursor_seal, field="after")
    return LOST if read is None else read.get(FEED.name, LOST)

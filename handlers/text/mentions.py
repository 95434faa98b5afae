"""Mentions of people in a text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from handlers.text.urls import LATIN_ACCENTED


class MentionSpan(NamedTuple):
    """`name` may hold dots; `list_name` is that of a list of this person, as in `@name/list`, with its slash."""

    name: str
    list_name: str
    start: int
    end: int


_MENTION: Final = re.compile(
    # Not inside of a word or an address; words that say "repeated from" may touch it.
    r"(?:(?<![A-Za-z0-9_!#$%&*@＠])|(?<=(?<![A-Za-z0-9_+~.\-])[Rr][Tt]))"
    r"[@＠]([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)(/[A-Za-z][A-Za-z0-9_\-]{0,24})?"
)
_NOT_AFTER_MENTION: Final = re.compile(rf"[@＠{LATIN_ACCENTED}]|://")


def find_mentions(text: str) -> Iterator[MentionSpan]:
    """Mentions in order, whether there are such people or not; also those inside of links."""
    for found in _MENTION.finditer(text):
        if _NOT_AFTER_MENTION.match(text, found.end()) is None:
            yield MentionSpan(found[1], found[2] or "", *found.span())


def find_reply(text: str) -> MentionSpan | None:
    """The person to whom the text is a reply: it begins with their name."""
    first = next(find_mentions(text), None)
    return None if first is None or text[: first.start].strip() else first

"""Hashtags and cashtags in a text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from handlers.text.span import Span

TAG_CHARS: Final = 100
"""What is longer is no hashtag: it would be found by nobody."""

# Of other kinds than letters, marks and digits, but parts of words: joiners, dots and marks of many scripts.
_PARTS_OF_WORDS: Final = frozenset(
    "_\u200c\u200d\ua67e\u05be\u05f3\u05f4\uff5e\u301c\u309b\u309c\u30a0\u30fb\u3003\u0f0b\u0f0c\u00b7"
)
_EMOJI_STYLES: Final = "\ufe0e\ufe0f"
"""Marks, but after an emoji, which is no word."""
_KEYCAP: Final = "\u20e3"
_HASH_SIGN: Final = re.compile("[#＃]")
_NOT_AFTER_TAG: Final = re.compile("[#＃]|://")

_SPACE_OR_DIRECTION: Final = "\\s\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CASHTAG: Final = re.compile(
    rf"(?<![^{_SPACE_OR_DIRECTION}])\$([a-z]{{1,6}}(?:[._][a-z]{{1,2}})?)(?![^\s!-/:-@\[-`{{-~])",
    re.IGNORECASE | re.ASCII,
)


def find_hashtags(text: str) -> Iterator[Span]:
    """Hashtags in order, each with a letter at least; also those inside of links."""
    position = 0
    while (sign := _HASH_SIGN.search(text, position)) is not None:
        start, position = sign.start(), sign.end()
        if not _may_follow(text[start - 1 : start]) or text.startswith((*_EMOJI_STYLES, _KEYCAP), position):
            continue
        end = position
        while end < len(text) and _is_part(text[end]):
            end += 1
        tag = text[position:end]
        if len(tag) <= TAG_CHARS and any(map(_is_alphabetic, tag)) and _NOT_AFTER_TAG.match(text, end) is None:
            yield Span(tag, start, end)
        position = end


def find_cashtags(text: str) -> Iterator[Span]:
    """Signs of shares, as `$ABC`, in order."""
    return (Span(found[1], *found.span()) for found in _CASHTAG.finditer(text))


def _may_follow(before: str) -> bool:
    """Whether a hashtag may follow this character, or the start of the text."""
    return not before or before in _EMOJI_STYLES or not (before == "&" or _is_part(before))


def _is_part(character: str) -> bool:
    return character in _PARTS_OF_WORDS or _is_alphabetic(character) or unicodedata.category(character) == "Nd"


def _is_alphabetic(character: str) -> bool:
    """Letters, and the marks that belong to them."""
    return unicodedata.category(character)[0] in "LM"

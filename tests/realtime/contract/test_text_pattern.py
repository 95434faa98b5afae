from __future__ import annotations

import re
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from realtime.contract.wire import TextRule

BMP = [chr(code) for code in range(0x10000) if not 0xD800 <= code < 0xE000]
UNSEEN = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufe00-\ufe0f\ufeff\uffa0]+"
)


class Texts:
    """The texts of one rule."""

    def __init__(self, shortest: int, *, lines: bool = False) -> None:
        self._type = TypeAdapter[str](Annotated[str, TextRule(1_000, shortest=shortest, lines=lines)])
        self._pattern = re.compile(self._type.json_schema()["pattern"].removesuffix("$"))

    def fit(self, text: str) -> bool:
        return self._pattern.fullmatch(text) is not None

    def take(self, text: str) -> bool:
        try:
            self._type.validate_python(text)
        except ValidationError:
            return False
        return True


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("shortest", [0, 1])
def test_a_single_character_fits_where_it_is_taken_or_cannot_be_seen(shortest: int, lines: bool) -> None:
    texts = Texts(shortest, lines=lines)
    wrong = [text for text in BMP if texts.fit(text) is not texts.take(text)]
    assert [text for text in wrong if not texts.fit(text) or not UNSEEN.fullmatch(text)] == []


SAMPLE = st.text(st.sampled_from("ab \n\t\0\u0085\u200b\u3000é\U0001f600"), max_size=9)


@pytest.mark.parametrize("texts", [Texts(1), Texts(1, lines=True), Texts(5)], ids=["name", "text", "password"])
@given(text=SAMPLE)
def test_what_is_taken_fits_and_what_fits_is_taken_or_has_characters_that_cannot_be_seen(
    texts: Texts, text: str
) -> None:
    if texts.take(text):
        assert texts.fit(text)
    elif texts.fit(text):
        assert "\u200b" in text or "\u3000" in text

"""Controls of text direction: left out of names, closed in texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.contract.bidi_controls import balanced, without_bidi_controls

LRE, RLE, PDF, LRO, RLO = "\u202a\u202b\u202c\u202d\u202e"
LRI, RLI, FSI, PDI = "\u2066\u2067\u2068\u2069"


def test_names_have_none_of_them() -> None:
    assert without_bidi_controls(f"a{LRE}{RLE}{PDF}{LRO}{RLO}b{LRI}{RLI}{FSI}{PDI}c") == "abc"
    assert (
        without_bidi_controls("\u200fאב\u200e \U0001f468\u200d\U0001f469")
        == "\u200fאב\u200e \U0001f468\u200d\U0001f469"
    )


@pytest.mark.parametrize(
    "text",
    [
        "no control",
        f"{RLE}אב{PDF} and {RLI}גד{PDI}",
        f"{RLI}{RLE}אב{PDF}{LRI}x{PDI}{PDI}",
        f"{RLE}one{PDF}\n{RLE}two{PDF}",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    ],
)
def test_what_is_closed_stays_as_it_is(text: str) -> None:
    assert balanced(text) == text


@pytest.mark.parametrize(
    ("text", "closed"),
    [
        (f"{RLO}gnp.exe", f"{RLO}gnp.exe{PDF}"),
        (f"{RLE}{RLI}a", f"{RLE}{RLI}a{PDI}{PDF}"),
        (f"a{PDF}b{PDI}c", "abc"),
        (f"{RLE}a\nb", f"{RLE}a{PDF}\nb"),
        (f"{RLI}a\r\nb{PDI}", f"{RLI}a{PDI}\r\nb"),
        (f"{LRE}a\u2029b{PDF}", f"{LRE}a{PDF}\u2029b"),
        (f"{RLI}{LRO}a{PDI}b", f"{RLI}{LRO}a{PDF}{PDI}b"),
        (f"{RLE}{RLI}a{PDF}b{PDI}{PDF}", f"{RLE}{RLI}ab{PDI}{PDF}"),
        (f"{RLE}a{PDI}b", f"{RLE}ab{PDF}"),
    ],
)
def test_what_is_left_open_is_closed_and_what_closes_nothing_is_left_out(text: str, closed: str) -> None:
    assert balanced(text) == closed
    assert balanced(closed) == closed


@given(st.text(st.sampled_from(f"ab\n{LRE}{RLO}{PDF}{RLI}{FSI}{PDI}")))
def test_every_line_of_any_text_is_closed(text: str) -> None:
    for line in balanced(text).split("\n"):
        open_controls: list[str] = []
        for character in line:
            if character in (LRE, RLO):
                open_controls.append(PDF)
            elif character in (RLI, FSI):
                open_controls.append(PDI)
            elif character in (PDF, PDI):
                assert open_controls.pop() == character
        assert open_controls == []
    assert without_bidi_controls(balanced(text)) == without_bidi_controls(text)

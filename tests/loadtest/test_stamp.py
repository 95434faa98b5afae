"""The age of a stamped text is read from the stamp, whatever surrounds it."""

from __future__ import annotations

import pytest

from loadtest.stamp import age_ms, stamped


@pytest.fixture
def now_ms(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The time as the module sees it, which a test may change."""
    present = [1_767_355_200_000]
    monkeypatch.setattr("loadtest.stamp.time.time_ns", lambda: present[0] * 1_000_000)
    return present


@pytest.mark.parametrize("around", [("", ""), ("Hello\n", ", and so on"), ("12 ", " 34 ms")])
def test_age_is_what_has_passed_since_the_stamp(now_ms: list[int], around: tuple[str, str]) -> None:
    text = stamped(around[0]) + around[1]
    assert text.startswith(around[0])
    now_ms[0] += 1_234
    assert age_ms(text) == 1_234


def test_a_clock_that_went_back_makes_nothing_younger_than_new(now_ms: list[int]) -> None:
    text = stamped("A post")
    now_ms[0] -= 5
    assert age_ms(text) == 0


@pytest.mark.parametrize("text", ["", "A post", "sent at noon", "sent at ms"])
def test_a_text_without_a_stamp_has_no_age(text: str) -> None:
    assert age_ms(text) is None


def test_the_real_clock() -> None:
    age = age_ms(stamped("A post"))
    assert age is not None and 0 <= age < 60_000

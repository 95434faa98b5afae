import pytest

from handlers.text.tags import TAG_CHARS, find_cashtags, find_hashtags


@pytest.mark.parametrize(("text", "expected"), [("#rooks#crows", []), ("#a&#b &#c", ["a"]), ("#\ufe0f #️⃣ #1", [])])
def test_a_hashtag_stands_alone(text: str, expected: list[str]) -> None:
    assert [tag.value for tag in find_hashtags(text)] == expected


def test_a_hashtag_has_an_end() -> None:
    longest = "a" * TAG_CHARS
    assert [tag.value for tag in find_hashtags(f"#{longest} #{longest}a")] == [longest]


def test_a_cashtag_is_letters_alone() -> None:
    assert [tag.value for tag in find_cashtags("$ABC, $ABCDEFG $\u017f")] == ["ABC"]

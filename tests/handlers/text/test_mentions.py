import pytest

from handlers.text.mentions import find_mentions, find_reply


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@ada.l. @bea.", ["ada.l", "bea"]),
        ("mail ada@bea.org", []),
        ("(@ada) /@bea", ["ada", "bea"]),
        ("@ada@bea.org", []),
    ],
)
def test_a_mention_has_the_dots_inside_of_a_name(text: str, expected: list[str]) -> None:
    assert [mention.name for mention in find_mentions(text)] == expected


def test_a_reply_begins_with_a_mention() -> None:
    first = find_reply("  @ada and @bea")
    assert first is not None
    assert first.name == "ada"
    assert find_reply("to @ada") is None

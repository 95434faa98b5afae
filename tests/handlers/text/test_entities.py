import time

import pytest

from handlers.text.entities import find_entities


def found(text: str) -> tuple[list[str], list[str], list[str]]:
    entities = find_entities(text)
    return (
        [mention.name for mention in entities.mentions],
        [tag.value for tag in entities.hashtags],
        [link.value for link in entities.urls],
    )


def test_all_three_kinds_are_found_in_order() -> None:
    text = "@ada.l look: #Rooks on example.org/rooks, and #crows! cc @bea"
    assert found(text) == (["ada.l", "bea"], ["Rooks", "crows"], ["example.org/rooks"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://example.org/@ada/#rooks", ([], [], ["https://example.org/@ada/#rooks"])),
        ("#日本語example.org", ([], ["日本語example"], [])),
        ("ada@example.org", ([], [], [])),
    ],
)
def test_of_two_that_overlap_the_first_counts(text: str, expected: object) -> None:
    assert found(text) == expected


@pytest.mark.parametrize("part", ["a.", "http://a.", "a.com", "@a.", "#a", "(", "http://a.com/(", "x", "é.", "-.com"])
@pytest.mark.parametrize("begun", ["", "http://a.com/(", "http://a.com/(a(", "http://a.com/?"])
def test_the_work_grows_with_the_text_and_no_faster(begun: str, part: str) -> None:
    def seconds(length: int) -> float:
        text = begun + (part * length)[:length]
        start = time.thread_time()
        find_entities(text)
        return time.thread_time() - start

    # A text of eight times the length takes eight times as long, and a square 64 times.
    short = min(seconds(2_500) for _ in range(3))
    assert min(seconds(20_000) for _ in range(2)) < 24 * short + 0.005

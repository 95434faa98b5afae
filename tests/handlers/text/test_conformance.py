"""The published cases of twitter-text for what a text holds: every one of them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from handlers.text.entities import find_entities
from handlers.text.mentions import find_mentions, find_reply
from handlers.text.span import Span
from handlers.text.tags import find_cashtags
from handlers.text.urls import find_urls

CASES: Final = Path(__file__).parents[4] / "shared" / "data" / "twitter_text_extract.yml"

Find = Callable[[str], Iterable[Span]]


def values(find: Find) -> Callable[[str], object]:
    return lambda text: [span.value for span in find(text)]


def spans(find: Find, name: str) -> Callable[[str], object]:
    return lambda text: [{name: span.value, "indices": [span.start, span.end]} for span in find(text)]


def hashtags(text: str) -> Iterable[Span]:
    return find_entities(text).hashtags


def mentions(text: str) -> object:
    return [mention.name for mention in find_mentions(text)]


def mentions_and_lists(text: str) -> list[dict[str, Any]]:
    return [
        {"screen_name": each.name, "list_slug": each.list_name, "indices": [each.start, each.end]}
        for each in find_mentions(text)
    ]


def mention_spans(text: str) -> object:
    return [{"screen_name": each["screen_name"], "indices": each["indices"]} for each in mentions_and_lists(text)]


def reply(text: str) -> object:
    found = find_reply(text)
    return None if found is None else found.name


EXTRACTS: Final[dict[str, Callable[[str], object]]] = {
    "mentions": mentions,
    "mentions_with_indices": mention_spans,
    "mentions_or_lists_with_indices": mentions_and_lists,
    "replies": reply,
    "urls": values(find_urls),
    "urls_with_indices": spans(find_urls, "url"),
    "urls_with_directional_markers": spans(find_urls, "url"),
    "tco_urls_with_params": values(find_urls),
    "hashtags": values(hashtags),
    "hashtags_from_astral": values(hashtags),
    "hashtags_with_indices": spans(hashtags, "hashtag"),
    "cashtags": values(find_cashtags),
    "cashtags_with_indices": spans(find_cashtags, "cashtag"),
}


@pytest.fixture(scope="module")
def cases() -> dict[str, list[dict[str, Any]]]:
    if not CASES.exists():
        pytest.skip(f"the cases of twitter-text need {CASES.name} in shared/data beside the checkout")
    read: dict[str, list[dict[str, Any]]] = yaml.safe_load(CASES.read_text("utf-8"))["tests"]
    return read


def test_all_238_cases_are_tried(cases: dict[str, list[dict[str, Any]]]) -> None:
    assert set(cases) == set(EXTRACTS)
    assert sum(map(len, cases.values())) == 238


@pytest.mark.parametrize("kind", EXTRACTS)
def test_what_a_text_holds_is_found_as_published(kind: str, cases: dict[str, list[dict[str, Any]]]) -> None:
    wrong = {
        case["description"]: (found, case["expected"])
        for case in cases[kind]
        if (found := EXTRACTS[kind](case["text"])) != case["expected"]
    }
    assert wrong == {}

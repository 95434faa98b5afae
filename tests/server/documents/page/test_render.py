"""The page at `/docs`, as it is for a reader without scripts."""

from __future__ import annotations

import gzip
from collections import Counter
from html.parser import HTMLParser

import pytest

from realtime.contract.errors import CLOSE_REASONS, COMMON_ERRORS
from server.documents.page.render import page_html
from server.features import FEATURES
from server.pipeline.registry import Registry

REGISTRY = Registry(FEATURES)
LARGEST_BYTES = 150_000
"""Of the whole page as it travels; half of it is left for its scripts and styles."""


class Anchors(HTMLParser):
    """The ids of a page, and where its links lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: Counter[str] = Counter()
        self.links: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if (found := values.get("id")) is not None:
            self.ids[found] += 1
        if tag == "a" and (link := values.get("href")) is not None and link.startswith("#"):
            self.links.add(link[1:])


@pytest.fixture(scope="module")
def html() -> str:
    return page_html(REGISTRY).decode()


@pytest.fixture(scope="module")
def anchors(html: str) -> Anchors:
    return Anchors(html)


def test_everything_that_is_declared_has_its_place(anchors: Anchors) -> None:
    declared = {bound.command.name for bound in REGISTRY.commands()} | REGISTRY.pushes.keys()
    declared |= {f"collection:{name}" for name in REGISTRY.collections}
    declared |= {f"error:{code.code}" for code in COMMON_ERRORS} | {f"close:{close.code}" for close in CLOSE_REASONS}
    assert declared - anchors.ids.keys() == set()


def test_each_link_leads_to_one_place(anchors: Anchors) -> None:
    assert anchors.links - anchors.ids.keys() == set()
    assert [name for name, count in anchors.ids.items() if count > 1] == []


def test_it_says_every_sentence_of_the_declarations(html: str) -> None:
    shown = HTMLText(html).text
    for bound in REGISTRY.commands():
        assert plain(bound.command.effect) in shown
    for push in REGISTRY.pushes.values():
        assert plain(push.audience) in shown
    for collection in REGISTRY.collections.values():
        assert plain(collection.holds) in shown and plain(collection.read_anew) in shown


def test_it_is_small(html: str) -> None:
    assert len(gzip.compress(html.encode())) < LARGEST_BYTES / 2


class HTMLText(HTMLParser):
    """The text of a page, without its markup and with single spaces."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self._parts: list[str] = []
        self.feed(html)
        self.text = " ".join("".join(self._parts).split())

    def handle_data(self, data: str) -> None:
        self._parts.append(data)


def plain(prose: str) -> str:
    return " ".join(prose.replace("`", "").split())

"""`docs/walk.md` tells the way that a post really takes."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from tests.kit.server import RunningServer

CHECKOUT = Path(__file__).parents[2]
_HOP = re.compile(r"^\| \d+ \| `([\w/.]+)` \| `([\w.<>]+)` \|", re.MULTILINE)

Hop = tuple[str, str]
"""A file and the qualified name of a function in it."""


def documented_walks() -> list[list[Hop]]:
    """The hops of each table."""
    text = (CHECKOUT / "docs" / "walk.md").read_text()
    return [hops for section in text.split("\n## ") if (hops := _HOP.findall(section))]


@contextmanager
def traced_calls() -> Iterator[list[Hop]]:
    """Every call of a function of the product in this thread, in order; a coroutine's resumptions count too."""
    calls: list[Hop] = []
    root = str(CHECKOUT) + "/"
    folders = tuple(root + folder + "/" for folder in ("server", "handlers", "realtime", "sql"))

    def trace(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(folders):
            calls.append((frame.f_code.co_filename.removeprefix(root), frame.f_code.co_qualname))

    sys.setprofile(trace)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def missing(walk: Sequence[Hop], calls: Sequence[Hop]) -> list[Hop]:
    """The hops that are not taken after the ones before them, from the first such one on."""
    position = 0
    for number, hop in enumerate(walk):
        try:
            position = calls.index(hop, position) + 1
        except ValueError:
            return list(walk[number:])
    return []


async def test_a_post_takes_the_documented_way(server: RunningServer) -> None:
    author, follower = await server.people("walk.author", "walk.follower")
    await follower.do("/users", "user:follow", {"user_id": author.id})
    await follower.do("/feed", "feed:subscribe")
    await author.do("/posts", "post:create", {"text": "So that everything is warm"})
    await follower.expect_push("feed:new")
    with traced_calls() as calls:
        answer = asyncio.create_task(author.do("/posts", "post:create", {"text": "On its way"}))
        push = await follower.expect_push("feed:new")
        created = await answer
    assert push["post"]["id"] == created["post"]["id"]
    to_the_answer, to_the_follower = documented_walks()
    assert missing(to_the_answer, calls) == []
    assert missing(to_the_follower, calls) == []


def test_the_document_counts_its_hops() -> None:
    hops = [hop for walk in documented_walks() for hop in walk]
    counted = f"{len(hops)} hops in {len({file for file, _ in hops})} files"
    assert f"The tables have {counted}" in (CHECKOUT / "docs" / "walk.md").read_text()


def test_a_hop_that_is_not_taken_is_noticed() -> None:
    a, b, c = (("file.py", name) for name in "abc")
    assert missing([a, c], [a, b, c]) == []
    assert missing([b, a, c], [a, b, c]) == [a, c]

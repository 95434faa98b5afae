"""Nobody reads what was changed or withdrawn before they asked.

Edits, renames, deletions, blocks and reads go on at the same time on two nodes, which both keep what they encode.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

CHANGES = 40
"""Of each author, and more until READS_MIN posts were read."""
READS_MIN = 200
SMALL_CACHE = 4_000
"""Bytes: a few posts."""


@dataclass
class TrackedPost:
    """A post of one author, whose every change is a version.

    `told` and `begun` count the changes that were answered, and those that may have taken effect.
    """

    id: str
    states: list[tuple[str, str]]
    """Text and visibility of version 1, 2, ..."""
    told: int = 1
    is_deletion_told: bool = False

    @property
    def begun(self) -> int:
        return len(self.states)


@dataclass
class Author:
    """`names` are the display names since the beginning, of which `named` were answered.

    `blocks` counts blocks and unblocks of the reader: it is odd from when a block was answered until an unblock begins.
    """

    at: list[Person]
    """The same person on each node."""
    names: list[str]
    named: int = 1
    blocks: int = 0
    posts: list[TrackedPost] = field(default_factory=list)


class OnAnotherNode(Person):
    """The same person, calling another node."""

    def __init__(self, person: Person, server: RunningServer) -> None:
        session = {
            "user": person.user,
            "access_token": person.access_token,
            "refresh_token": person.refresh_token,
        }
        super().__init__(server, session, person.password)


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[list[RunningServer]]:
    """The second one keeps only few bodies at a time."""
    async with (
        running_server(settings_for_tests(database_url, redis_url)) as one,
        running_server(settings_for_tests(database_url, redis_url, body_cache_max_bytes=SMALL_CACHE)) as other,
    ):
        yield [one, other]


async def everywhere(nodes: list[RunningServer], name: str) -> list[Person]:
    person = await nodes[0].person(name)
    return [person, OnAnotherNode(person, nodes[1])]


class Stage:
    """`is_over`: all changes were made, or an answer was wrong."""

    def __init__(self, authors: list[Author], reader: list[Person], chance: random.Random) -> None:
        self.authors = authors
        self.reader = reader
        self.chance = chance
        self.by_post = {post.id: (author, post) for author in authors for post in author.posts}
        self.posts_read = 0
        self.position: str | None = None
        self.is_over = False

    async def plays(self) -> None:
        """Raises what was wrong first, when everybody has stopped."""
        readers = [self.reads(person) for person in [*self.reader, *self.reader]]
        for result in await asyncio.gather(self.all_changes(), *readers, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def all_changes(self) -> None:
        try:
            await asyncio.gather(*map(self.changes, self.authors))
        finally:
            self.is_over = True

    async def changes(self, author: Author) -> None:
        """One author's changes, one after the other, each on any node."""
        chance = self.chance
        for number in count():
            if self.is_over or (number >= CHANGES and self.posts_read > READS_MIN):
                return
            person, post = chance.choice(author.at), chance.choice(author.posts)
            named = {"post_id": post.id}
            match chance.randrange(10):
                case 0 if number > CHANGES // 2 and not post.is_deletion_told:
                    await person.do("/posts", "post:delete", named)
                    post.is_deletion_told = True
                case 1 | 2:
                    author.names.append(f"Name {number}")
                    await person.do("/users", "user:update", {"display_name": author.names[-1]})
                    author.named = len(author.names)
                case 3:
                    if author.blocks % 2:
                        author.blocks += 1
                        await person.do("/users", "user:unblock", {"user_id": self.reader[0].id})
                        await self.reader[0].do("/users", "user:follow", {"user_id": person.id})
                    else:
                        await person.do("/users", "user:block", {"user_id": self.reader[0].id})
                        author.blocks += 1
                case 4 if not post.is_deletion_told:
                    text, visibility = post.states[-1]
                    other = chance.choice([one for one in ("public", "followers", "private") if one != visibility])
                    post.states.append((text, other))
                    await person.do("/posts", "post:update", {**named, "visibility": other})
                    post.told = post.begun
                case _ if not post.is_deletion_told:
                    post.states.append((f"Text {number} of {post.id}", post.states[-1][1]))
                    await person.do("/posts", "post:update", {**named, "text": post.states[-1][0]})
                    post.told = post.begun

    async def reads(self, reader: Person) -> None:
        """Reads as fast as it is answered; each answer is held against what was told before it was asked for."""
        while not self.is_over:
            before = {
                post.id: (author.blocks, author.named, post.told, post.is_deletion_told)
                for author, post in self.by_post.values()
            }
            try:
                for item in await self.ask(reader):
                    self.check(item, *before[item["id"]])
            except BaseException:
                self.is_over = True
                raise

    async def ask(self, reader: Person) -> list[dict[str, Any]]:
        """The posts of one answer; none where it was refused."""
        author = self.chance.choice(self.authors)
        post = self.chance.choice(author.posts)
        match self.chance.randrange(5):
            case 0:
                answer = await reader.call("/posts", "post:get", {"post_id": post.id})
                return [answer["data"]["post"]] if answer["ok"] else []
            case 1:
                answer = await reader.call("/posts", "post:list", {"user_id": author.at[0].id})
            case 2:
                answer = await reader.call("/feed", "feed:subscribe")
                self.position = answer["data"]["position"]
            case 3 if self.position is not None:
                answer = await reader.call("/feed", "feed:sync", {"after": self.position})
            case _:
                answer = await reader.call("/feed", "feed:page")
        return list(answer["data"]["items"]) if answer["ok"] else []

    def check(self, item: dict[str, Any], blocks: int, named: int, told: int, is_deletion_told: bool) -> None:
        author, post = self.by_post[item["id"]]
        self.posts_read += 1
        assert not is_deletion_told, "deleted before it was read"
        assert not (blocks % 2 and author.blocks == blocks), "its author had blocked the reader"
        assert told <= item["version"] <= post.begun, "an earlier state"
        text, visibility = post.states[item["version"] - 1]
        assert (item["text"], item["visibility"]) == (text, visibility)
        assert visibility != "private"
        assert item["author"]["display_name"] in author.names[named - 1 :], "an earlier name"


@pytest.mark.parametrize("seed", [1, 2])
async def test_readers_never_see_what_was_changed_before(
    nodes: list[RunningServer], database_url: str, seed: int
) -> None:
    reader, chance = await everywhere(nodes, f"reader{seed}"), random.Random(seed)
    authors = []
    for number in range(3):
        author = Author(await everywhere(nodes, f"author{seed}{number}"), ["The first name"])
        authors.append(author)
        await author.at[0].do("/users", "user:update", {"display_name": author.names[0]})
        await reader[0].do("/users", "user:follow", {"user_id": author.at[0].id})
        for place in range(4):
            made = await author.at[0].do("/posts", "post:create", {"text": f"Text {place}"})
            author.posts.append(TrackedPost(made["post"]["id"], [(f"Text {place}", "public")]))
    stage = Stage(authors, reader, chance)
    await stage.plays()
    assert stage.posts_read > READS_MIN
    await compare_with_sql(stage, database_url)


async def compare_with_sql(stage: Stage, database_url: str) -> None:
    """When nothing changes any more, every answer on both nodes has the rows as they are."""
    connection = await asyncpg.connect(database_url)
    try:
        for _, post in stage.by_post.values():
            row = await connection.fetchrow(
                "SELECT p.version, p.text, p.visibility, u.display_name FROM posts p JOIN users u ON u.id = p.author_id"
                " WHERE p.id = $1 AND p.deleted_at IS NULL AND p.visibility <> 'private'"
                " AND NOT EXISTS (SELECT FROM blocks b WHERE b.blocker_id = p.author_id AND b.blocked_id = $2)",
                int(post.id),
                int(stage.reader[0].id),
            )
            for person in stage.reader:
                answer = await person.call("/posts", "post:get", {"post_id": post.id})
                assert answer["ok"] == (row is not None)
                if row is not None:
                    item = answer["data"]["post"]
                    shown = (item["version"], item["text"], item["visibility"], item["author"]["display_name"])
                    assert tuple(row) == shown
    finally:
        await connection.close()

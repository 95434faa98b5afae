"""What happened to a feed since a position: through `feed:sync`, and through `sync:pull`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg
import orjson
import pytest

from handlers.feed import changes
from handlers.feed.contract import CHANGED_BYTES_MAX
from handlers.limits import POST_CHARS
from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer

Changed = Mapping[str, str | None]
"""The text of each changed post; None: it is gone, or hidden."""


class Store:
    """What one client holds, kept by one of the two commands."""

    def __init__(self, reader: Person, by: str) -> None:
        self._reader = reader
        self._is_pull = by == "sync:pull"
        self._position = ""
        self.posts: dict[str, str] = {}

    async def read(self) -> None:
        """Reads the feed anew, whole."""
        answer = await self._reader.do("/users", "sync:pull", {"collections": ["feed"], "limit": 100})
        self.posts = {post["id"]: post["text"] for post in answer["changes"]["feed"]["upserts"]}
        self._position = await settled_cursor(self._reader, "feed")

    async def catch_up(self) -> Changed | None:
        """Applies what has changed, and answers it; None: the feed is read anew."""
        told = await self._changes()
        if told.get("reset"):
            assert (told.get("upserts", []), told["removed"]) == ([], [])
            await self.read()
            return None
        changed: dict[str, str | None] = {post["id"]: post["text"] for post in told["upserts"]}
        assert list(changed) == sorted(changed, key=int, reverse=True), "newest first"
        assert not changed.keys() & set(told["removed"])
        changed |= dict.fromkeys(told["removed"])
        self.posts = {post_id: text for post_id, text in ({**self.posts, **changed}).items() if text is not None}
        return changed

    async def _changes(self) -> dict[str, Any]:
        if self._is_pull:
            answer = await self._reader.do("/users", "sync:pull", {"cursor": self._position})
            self._position = answer["cursor"]
            assert not answer["more"]
            pulled: dict[str, Any] = answer["changes"].get("feed", {"upserts": [], "removed": []})
            return pulled
        answer = await self._reader.do("/feed", "feed:sync", {"after": self._position})
        self._position = answer["position"]
        return {**answer, "upserts": answer["items"]}


async def post(author: Person, text: str, **fields: object) -> str:
    post_id: str = (await author.do("/posts", "post:create", {"text": text, **fields}))["post"]["id"]
    return post_id


async def edit(author: Person, post_id: str, **fields: object) -> None:
    await author.do("/posts", "post:update", {"post_id": post_id, **fields})


async def relate(person: Person, name: str, other: Person) -> None:
    await person.do("/users", f"user:{name}", {"user_id": other.id})


BOTH = pytest.mark.parametrize("by", ["feed:sync", "sync:pull"])


@BOTH
async def test_whatever_happened_to_posts_is_told_as_it_is_now(server: RunningServer, by: str) -> None:
    reader, author, stranger = await server.people(f"reader.{by[0]}", f"author.{by[0]}", f"stranger.{by[0]}")
    await relate(reader, "follow", author)
    kept, edited, hidden, deleted = [await post(author, "old") for _ in range(4)]
    shown = await post(author, "shown", visibility="private")
    store = Store(reader, by)
    await store.read()
    assert await store.catch_up() == {}
    await edit(author, edited, text="new")
    await edit(author, hidden, text="secret")
    await edit(author, hidden, visibility="private")
    await author.do("/posts", "post:delete", {"post_id": deleted})
    await edit(author, shown, visibility="followers")
    await edit(author, kept, text="old")
    await reader.do("/posts", "post:like", {"post_id": kept})
    await reader.do("/posts", "comment:create", {"post_id": kept, "text": "Well said"})
    made = await post(author, "made")
    await post(stranger, "not for this feed")
    assert await store.catch_up() == {edited: "new", hidden: None, deleted: None, shown: "shown", made: "made"}
    held = store.posts
    await store.read()
    assert store.posts == held == {kept: "old", edited: "new", shown: "shown", made: "made"}


async def test_a_post_that_nobody_else_could_ever_see_is_not_told_to_be_gone(server: RunningServer) -> None:
    reader, author = await server.people("diary.reader", "diary.author")
    await relate(reader, "follow", author)
    store = Store(reader, "feed:sync")
    await store.read()
    cursor = await settled_cursor(reader, "feed")
    diary, secret = [await post(author, "Dear diary", visibility="private") for _ in range(2)]
    await edit(author, diary, text="Dear diary, once more")
    await author.do("/posts", "post:delete", {"post_id": secret})
    assert await store.catch_up() == {}
    assert (await reader.do("/users", "sync:pull", {"cursor": cursor}))["changes"] == {}
    await edit(author, diary, visibility="followers")
    await edit(author, diary, visibility="private")
    assert await store.catch_up() == {diary: None}
    await author.do("/posts", "post:delete", {"post_id": diary})
    assert await store.catch_up() == {diary: None}


@BOTH
async def test_many_long_posts_are_no_larger_answer_than_a_client_can_take(server: RunningServer, by: str) -> None:
    """The longest posts in the widest letters: 20 KB each."""
    reader, author = await server.people(f"long.reader.{by[0]}", f"long.author.{by[0]}")
    await relate(reader, "follow", author)
    store = Store(reader, by)
    await store.read()
    made = [await post(author, "\U0001f40c" * POST_CHARS) for _ in range(14)]
    assert await store.catch_up() is None
    assert list(store.posts) == made[:1:-1], "the newest 12 are 240 KB, and older ones are read by pages"
    fresh = await reader.do("/users", "sync:pull", {"collections": ["feed"]})
    assert len(orjson.dumps(fresh)) < CHANGED_BYTES_MAX + 1_000


@BOTH
async def test_whoever_may_see_other_people_reads_anew(server: RunningServer, by: str) -> None:
    reader, author, other = await server.people(f"anew.{by[0]}", f"anew.author.{by[0]}", f"anew.other.{by[0]}")
    await relate(reader, "follow", author)
    await relate(author, "follow", reader)
    of_author, of_other = await post(author, "by the author"), await post(other, "by the other")
    store, of_followed = Store(reader, by), Store(author, by)
    await store.read()
    await of_followed.read()
    steps: list[tuple[Callable[[], Awaitable[None]], set[str]]] = [
        (lambda: relate(reader, "follow", other), {of_author, of_other}),
        (lambda: relate(reader, "unfollow", other), {of_author}),
        (lambda: relate(reader, "block", other), {of_author}),
        (lambda: relate(reader, "unblock", other), {of_author}),
        (lambda: relate(other, "block", reader), {of_author}),
        (lambda: relate(other, "unblock", reader), {of_author}),
        (lambda: relate(author, "unfollow", reader), {of_author}),
    ]
    for step, expected in steps[:-1]:
        await step()
        assert await store.catch_up() is None
        assert store.posts.keys() == expected
        assert await of_followed.catch_up() == {}, "it is another's feed"
    await steps[-1][0]()
    assert await store.catch_up() == {}
    assert await of_followed.catch_up() is None


@BOTH
async def test_a_post_that_is_committed_after_later_ones_is_not_skipped(
    server: RunningServer, database_url: str, by: str
) -> None:
    reader, slow, quick = await server.people(f"late.{by[0]}", f"late.slow.{by[0]}", f"late.quick.{by[0]}")
    for author in (slow, quick):
        await relate(reader, "follow", author)
    store = Store(reader, by)
    await store.read()
    connection = await asyncpg.connect(database_url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        late = await connection.fetchval(
            "INSERT INTO posts (author_id, text) VALUES ($1, 'late') RETURNING id", int(slow.id)
        )
        early = await post(quick, "early")
        assert (await store.catch_up() or {})[early] == "early"
        await transaction.commit()
    finally:
        await connection.close()
    assert (await store.catch_up() or {})[str(late)] == "late"


@BOTH
async def test_more_changes_than_a_new_read_is_worth_are_a_reset(
    server: RunningServer, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "CHANGED_POSTS_MAX", 3)
    reader, author = await server.people(f"many.{by[0]}", f"many.author.{by[0]}")
    await relate(reader, "follow", author)
    store = Store(reader, by)
    await store.read()
    for count, is_told in ((3, True), (4, False)):
        made = [await post(author, f"number {number}") for number in range(count)]
        changed = await store.catch_up()
        assert changed is None or changed.keys() == set(made)
        assert (changed is not None) is is_told
    assert len(store.posts) == 7


async def test_a_user_who_is_seen_by_others_than_before_resets_the_feeds_of_followers(
    server: RunningServer, database_url: str
) -> None:
    """No command does this yet: an account that goes private, or ends."""
    reader, author, other = await server.people("seen.reader", "seen.author", "seen.other")
    await relate(reader, "follow", author)
    stores = [Store(reader, "sync:pull"), Store(other, "sync:pull")]
    for store in stores:
        await store.read()
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE users SET published_changed = change_stamp() WHERE id = $1", int(author.id))
    await connection.close()
    assert [await store.catch_up() for store in stores] == [None, {}]
    assert [await store.catch_up() for store in stores] == [{}, {}], "each store was read anew"

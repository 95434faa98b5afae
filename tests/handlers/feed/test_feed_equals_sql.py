"""Whatever happens in whatever order: once all Facts were dealt with, a home feed is what SQL says it is.

Until then it is never more than that, and lacks only what a Fact still under way would bring.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NamedTuple

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql.database import Database, load_queries
from sql.ids import UserId
from sql.pool import use_orjson
from tests.handlers.feed.feed_lab import LIST_MAX, FeedLab, StoredFact
from tests.kit.services import Valkey

OFTEN = ("post", "begin", "commit", "bring", "page", "follow")
SELDOM = ("bring_again", "unfollow", "block", "unblock", "delete", "show", "flush")


class Step(NamedTuple):
    """`who` and `which` choose among what there is at that moment."""

    action: str
    who: int
    which: int


actions = st.sampled_from((*OFTEN, *OFTEN, *SELDOM))
steps = st.lists(st.builds(Step, actions, st.integers(0, 7), st.integers(0, 7)), min_size=10, max_size=60)


class History:
    """A small world with people of its own, driven step by step."""

    def __init__(self, lab: FeedLab, valkey: Valkey, stack: AsyncExitStack) -> None:
        self.lab = lab
        self._valkey = valkey
        self._stack = stack
        self._queries = load_queries()
        self.viewers: list[int] = []
        self.authors: list[int] = []
        self._slow: list[int] = []
        self._open: list[tuple[asyncpg.Connection, asyncpg.transaction.Transaction, int]] = []
        self._posts: list[tuple[int, int]] = []
        self._waiting: list[StoredFact] = []
        self._dealt_with: list[StoredFact] = []

    async def begin(self) -> None:
        self.viewers = await self.lab.people(2)
        self.authors = [*await self.lab.people(2), *await self.lab.people(1, is_broadcaster=True)]
        self._slow = await self.lab.people(3)  # their posts take long to commit
        await self.lab.follow_in_the_past(self.viewers, self._slow)
        await self.lab.follow_in_the_past(self.viewers[:1], self.authors)
        await self.lab.posts_of_the_past([*self.authors, *self.authors, *self._slow], 2 * LIST_MAX)
        for viewer in self.viewers:
            await self.lab.page(viewer)

    async def take(self, step: Step) -> None:
        viewer = self.viewers[step.who % len(self.viewers)]
        author = self.authors[step.which % len(self.authors)]
        match step.action:
            case "post":
                self._posts.append((author, await self.lab.post(author)))
            case "begin":
                await self._begin_slow_post()
            case "commit" if self._open:
                await self._commit(step.which % len(self._open))
            case "bring" if self._waiting:
                await self._bring(self._waiting.pop(step.which % len(self._waiting)))
            case "bring_again" if self._dealt_with:
                fact = self._dealt_with[step.which % len(self._dealt_with)]
                await self.lab.bring(fact)
            case "page":
                await self._check(viewer, limit=7 + 20 * step.which)
            case "follow" | "unfollow" | "block" | "unblock":
                await self._change_relation(viewer, step.action, author)
            case "delete" if self._posts:
                by, post_id = self._posts.pop(step.which % len(self._posts))
                await self.lab.do(by, "/posts", "post:delete", post_id=str(post_id))
            case "show" if self._posts:
                by, post_id = self._posts[step.which % len(self._posts)]
                visibility = ("private", "followers", "public")[step.who % 3]
                await self.lab.do(by, "/posts", "post:update", post_id=str(post_id), visibility=visibility)
            case "flush":
                await asyncio.to_thread(self._valkey.flush)
        await self._gather_facts()

    async def end(self) -> None:
        """Commits what is open, the latest first, deals with all Facts, the latest first, and compares."""
        while self._open:
            await self._commit(len(self._open) - 1)
        await self._gather_facts()
        while self._waiting:
            await self._bring(self._waiting.pop())
        for viewer in self.viewers:
            assert await self.lab.walk(viewer, limit=41) == await self.lab.truth(viewer)

    async def _change_relation(self, viewer: int, action: str, author: int) -> None:
        blocked = await self.lab.database.fetchval(
            "SELECT EXISTS (SELECT FROM blocks WHERE blocker_id = $1 AND blocked_id = $2)", viewer, author
        )
        if action != "follow" or not blocked:
            await self.lab.do(viewer, "/users", f"user:{action}", user_id=str(author))

    async def _begin_slow_post(self) -> None:
        """A post with its Fact in a transaction that stays open; later ids will be committed before it."""
        idle = [author for author in self._slow if author not in {author for _, _, author in self._open}]
        if not idle:
            return
        connection = await self._stack.enter_async_context(_connected(self.lab.database_url))
        transaction = connection.transaction()
        await transaction.start()
        db = Database(self._queries, connection)
        post = await db.posts.insert_post(
            author_id=UserId(idle[0]),
            kind="text",
            text="slow",
            link=None,
            entity_set={},
            visibility="public",
            replies_from="everyone",
            sensitive=False,
            poll=None,
            client_id=None,
        )
        assert post is not None
        payload = orjson.dumps({"post_id": post.id, "author_id": idle[0]}).decode()
        await db.facts.insert_facts(names=["post.created"], payloads=[payload], keys=[idle[0]])
        self._open.append((connection, transaction, idle[0]))

    async def _commit(self, which: int) -> None:
        _, transaction, _ = self._open.pop(which)
        await transaction.commit()

    async def _gather_facts(self) -> None:
        known = {fact.id for fact in (*self._waiting, *self._dealt_with)}
        self._waiting += [fact for fact in await self.lab.new_facts() if fact.id not in known]

    async def _bring(self, fact: StoredFact) -> None:
        await self.lab.bring(fact)
        self._dealt_with.append(fact)

    async def _check(self, viewer: int, limit: int) -> None:
        seen, truth = await self.lab.walk(viewer, min(limit, 100)), await self.lab.truth(viewer)
        assert seen == sorted(set(seen), reverse=True)
        assert set(seen) <= set(truth)
        coming = [orjson.loads(fact.payload) for fact in self._waiting]
        coming_posts = {int(data["post_id"]) for data in coming if "post_id" in data}
        assert set(truth) - set(seen) <= coming_posts, "a follow of one's own shows at once"


@asynccontextmanager
async def _connected(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database_url)
    try:
        await use_orjson(connection)
        yield connection
    finally:
        await connection.close()


@pytest.mark.timeout(400)  # a failure takes minutes to be made small
@settings(max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
async def test_a_home_feed_is_what_sql_says(lab: FeedLab, valkey: Valkey, steps: list[Step]) -> None:
    async with AsyncExitStack() as stack:
        history = History(lab, valkey, stack)
        await history.begin()
        for step in steps:
            await history.take(step)
        await history.end()

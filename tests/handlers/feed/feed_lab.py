"""A node without worker and sockets: the test decides which Fact is brought to which consumer, when, and how often."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import orjson

from realtime.contract.identity import Identity
from server.composition.node import Node
from server.pipeline.dispatch import Request
from server.pipeline.no_session import NO_SESSION
from server.pipeline.reactions import FactBatch
from sql.database import Database
from tests.kit.server import settings_for_tests

LIST_MAX = 100
"""The shortest list that the settings allow, so that pages cross its end soon."""

_TRUTH = """
    SELECT p.id FROM posts p JOIN follows f ON f.followed_id = p.author_id AND f.follower_id = $1
    WHERE p.deleted_at IS NULL AND p.visibility <> 'private' AND NOT EXISTS (
        SELECT FROM blocks b
        WHERE (b.blocker_id, b.blocked_id) IN ((f.follower_id, f.followed_id), (f.followed_id, f.follower_id)))
    ORDER BY p.id DESC
"""
_names = itertools.count(1)


class StoredFact(NamedTuple):
    id: int
    name: str
    payload: str


class FeedLab:
    """People act through the dispatcher, Facts are brought by hand, SQL tells the truth."""

    def __init__(self, node: Node, database_url: str, database: asyncpg.Pool[asyncpg.Record]) -> None:
        self.node = node
        self.database_url = database_url
        self.database = database
        self._dealt_with: set[int] = set()

    async def people(self, count: int, *, is_broadcaster: bool = False) -> list[int]:
        return [
            await self.database.fetchval(
                "INSERT INTO users (username, username_folded, phone, password_hash, is_broadcaster)"
                " VALUES ($1, $1, $1, '', $2) RETURNING id",
                f"person{next(_names)}",
                is_broadcaster,
            )
            for _ in range(count)
        ]

    async def follow_in_the_past(self, follower_ids: Sequence[int], followed_ids: Sequence[int]) -> None:
        """Follows whose Facts were dealt with long ago."""
        pairs = [(follower_id, followed_id) for follower_id in follower_ids for followed_id in followed_ids]
        await self.database.executemany(
            "WITH added AS (INSERT INTO follows (follower_id, followed_id) VALUES ($1, $2))"
            " UPDATE users SET following_count = following_count + (id = $1)::int,"
            " follower_count = follower_count + (id = $2)::int WHERE id IN ($1, $2)",
            pairs,
        )

    async def posts_of_the_past(self, author_ids: Sequence[int], count: int) -> None:
        """Posts of an hour ago, the authors in turn, whose Facts were dealt with long ago."""
        await self.database.execute(
            "WITH added AS (INSERT INTO posts (id, author_id, text)"
            " SELECT (make_id() - (3600000::bigint << 22)) + (n << 22), ($1::bigint[])[1 + n % cardinality($1)], 'past'"
            " FROM generate_series(1, $2::bigint) AS n RETURNING author_id)"
            " UPDATE users SET post_count = post_count + a.count, public_post_count = public_post_count + a.count,"
            " followers_post_count = followers_post_count + a.count"
            " FROM (SELECT author_id, count(*) FROM added GROUP BY author_id) a WHERE id = a.author_id",
            author_ids,
            count,
        )

    async def do(self, caller_id: int, namespace: str, name: str, /, **payload: object) -> Any:
        """The data of a command that must succeed."""
        body = orjson.dumps(payload)
        request = Request(
            namespace=namespace,
            name=name,
            payload=payload,
            size_bytes=len(body),
            credentials=Identity(caller_id, 1, 2**40),
            address="127.0.0.1",
            user_agent=None,
            session=NO_SESSION,
        )
        answer = orjson.loads((await self.node.dispatcher.call(request)).body)
        assert answer["ok"], answer
        return answer["data"]

    async def post(self, author_id: int, text: str = "a post") -> int:
        return int((await self.do(author_id, "/posts", "post:create", text=text))["post"]["id"])

    async def page(
        self, viewer_id: int, before: int | None = None, limit: int | None = None
    ) -> tuple[list[int], int | None]:
        """The ids of a page and the cursor of the next one."""
        asked = {"before": None if before is None else str(before), "limit": limit}
        payload = {name: value for name, value in asked.items() if value is not None}
        page = await self.do(viewer_id, "/feed", "feed:page", **payload)
        cursor = page.get("next_cursor")
        return [int(item["id"]) for item in page["items"]], None if cursor is None else int(cursor)

    async def walk(self, viewer_id: int, limit: int = 100) -> list[int]:
        """All pages, from the newest down."""
        seen, cursor = await self.page(viewer_id, limit=limit)
        while cursor is not None:
            ids, cursor = await self.page(viewer_id, cursor, limit)
            seen += ids
        return seen

    async def truth(self, viewer_id: int) -> list[int]:
        """What the whole home feed is, told by a query that shares nothing with the product's."""
        return [row["id"] for row in await self.database.fetch(_TRUTH, viewer_id)]

    async def new_facts(self) -> list[StoredFact]:
        """Those that were not brought to all their consumers."""
        rows = await self.database.fetch("SELECT id, name, payload::text FROM facts ORDER BY position, id")
        return [StoredFact(*row) for row in rows if row["id"] not in self._dealt_with]

    async def pass_over_facts(self) -> None:
        """What is stored already is dealt with."""
        self._dealt_with.update(fact.id for fact in await self.new_facts())

    async def bring(self, fact: StoredFact) -> None:
        """Brings a Fact to all its consumers, as though nothing had been read before."""
        for consumer in self.node.registry.consumers:
            if any(handler.fact.name == fact.name for handler in consumer.handlers):
                await self.node.reactions.run(consumer, FactBatch([fact.name], [fact.payload]), _no_checkpoint)
        self._dealt_with.add(fact.id)

    async def settle(self) -> None:
        """Brings every Fact that was not dealt with."""
        for fact in await self.new_facts():
            await self.bring(fact)


async def _no_checkpoint(_db: Database) -> None:
    return None


@asynccontextmanager
async def feed_lab(database_url: str, redis_url: str) -> AsyncIterator[FeedLab]:
    node = Node(settings_for_tests(database_url, redis_url, feed_list_max=LIST_MAX), serve=False, work=False)
    await node.start()
    try:
        async with asyncpg.create_pool(database_url, min_size=1, max_size=4) as database:
            lab = FeedLab(node, database_url, database)
            await lab.pass_over_facts()
            yield lab
    finally:
        await node.stop()

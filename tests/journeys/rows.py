"""The contents of the tables, read without the product's own queries. Ids as on the wire."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

import asyncpg

from tests.journeys.checks import Said
from tests.kit.facts import count_unread

Counts = dict[str, tuple[int, ...]]


class Rows:
    def __init__(self, connection: asyncpg.Connection[asyncpg.Record]) -> None:
        self._connection = connection

    async def follows(self, among: Collection[str]) -> set[tuple[str, str]]:
        rows = await self._connection.fetch(
            "SELECT follower_id, followed_id FROM follows WHERE follower_id = ANY($1) AND followed_id = ANY($1)",
            list(map(int, among)),
        )
        return {(str(row[0]), str(row[1])) for row in rows}

    async def follow_count(self) -> int:
        return int(await self._connection.fetchval("SELECT count(*) FROM follows"))

    async def blocks(self) -> set[tuple[str, str]]:
        rows = await self._connection.fetch("SELECT blocker_id, blocked_id FROM blocks")
        return {(str(row[0]), str(row[1])) for row in rows}

    async def feed(self, reader: str) -> list[str]:
        """The ids of the whole home feed, newest first."""
        rows = await self._connection.fetch(
            """
            SELECT p.id FROM posts p
            WHERE p.author_id IN (SELECT followed_id FROM follows WHERE follower_id = $1)
            AND p.author_id NOT IN (SELECT blocked_id FROM blocks WHERE blocker_id = $1)
            AND p.author_id NOT IN (SELECT blocker_id FROM blocks WHERE blocked_id = $1)
            AND p.deleted_at IS NULL AND p.visibility <> 'private'
            ORDER BY p.id DESC
            """,
            int(reader),
        )
        return [str(row[0]) for row in rows]

    async def posts(self) -> dict[str, tuple[str, str, int, int]]:
        """Author, text, and likes and comments as counted row by row."""
        rows = await self._connection.fetch(
            """
            SELECT p.id, p.author_id, p.text, coalesce(l.count, 0), coalesce(c.count, 0) FROM posts p
            LEFT JOIN (SELECT post_id, count(*) FROM post_likes GROUP BY 1) l ON l.post_id = p.id
            LEFT JOIN (SELECT post_id, count(*) FROM comments WHERE deleted_at IS NULL GROUP BY 1) c ON c.post_id = p.id
            WHERE p.deleted_at IS NULL
            """
        )
        return {str(row[0]): (str(row[1]), row[2], row[3], row[4]) for row in rows}

    async def post_counters(self) -> Counts:
        """Likes and comments as stored on the post's own row."""
        rows = await self._connection.fetch("SELECT id, like_count, comment_count FROM posts WHERE deleted_at IS NULL")
        return {str(row[0]): (row[1], row[2]) for row in rows}

    async def people(self) -> Counts:
        """Followers, followed and posts of every person; posts as they, their followers and strangers count them."""
        rows = await self._connection.fetch(
            """
            SELECT
                u.id, coalesce(r.count, 0), coalesce(d.count, 0),
                coalesce(p.seen_by_self, 0), coalesce(p.seen_by_followers, 0), coalesce(p.seen_by_all, 0)
            FROM users u
            LEFT JOIN (SELECT followed_id AS id, count(*) FROM follows GROUP BY 1) r ON r.id = u.id
            LEFT JOIN (SELECT follower_id AS id, count(*) FROM follows GROUP BY 1) d ON d.id = u.id
            LEFT JOIN (
                SELECT
                    author_id AS id,
                    count(*) AS seen_by_self,
                    count(*) FILTER (WHERE visibility <> 'private') AS seen_by_followers,
                    count(*) FILTER (WHERE visibility = 'public') AS seen_by_all
                FROM posts WHERE deleted_at IS NULL GROUP BY 1
            ) p ON p.id = u.id
            """
        )
        return {str(row[0]): tuple(row)[1:] for row in rows}

    async def people_counters(self) -> Counts:
        """The same, as stored on the person's own row."""
        rows = await self._connection.fetch(
            "SELECT id, follower_count, following_count, post_count, followers_post_count, public_post_count FROM users"
        )
        return {str(row[0]): tuple(row)[1:] for row in rows}

    async def liked(self, post_ids: Collection[str]) -> set[tuple[str, str]]:
        rows = await self._connection.fetch(
            "SELECT post_id, user_id FROM post_likes WHERE post_id = ANY($1)", list(map(int, post_ids))
        )
        return {(str(row[0]), str(row[1])) for row in rows}

    async def comments(self, post_ids: Collection[str]) -> dict[str, tuple[str, str, str]]:
        rows = await self._connection.fetch(
            "SELECT id, post_id, author_id, text FROM comments WHERE post_id = ANY($1)", list(map(int, post_ids))
        )
        return {str(row[0]): (str(row[1]), str(row[2]), row[3]) for row in rows}

    async def conversations(self, of: Collection[str]) -> dict[str, list[Said]]:
        """All messages of the conversations of these people, by number."""
        rows = await self._connection.fetch(
            """
            SELECT c.id, m.seq, m.sender_id, m.text FROM conversations c
            LEFT JOIN messages m ON m.conversation_id = c.id
            WHERE c.direct_low = ANY($1) OR c.direct_high = ANY($1) ORDER BY c.id, m.seq
            """,
            list(map(int, of)),
        )
        found: dict[str, list[Said]] = defaultdict(list)
        for row in rows:
            found[str(row[0])] += [] if row[1] is None else [Said(row[1], str(row[2]), row[3])]
        return dict(found)

    async def positions(self) -> dict[tuple[str, str], tuple[int, int]]:
        """(conversation, person): the last message read, and how many messages of others lie above it."""
        rows = await self._connection.fetch(
            """
            SELECT r.conversation_id, r.user_id, r.read_seq, count(m.seq) FROM conversation_members r
            LEFT JOIN messages m
            ON m.conversation_id = r.conversation_id AND m.seq > r.read_seq AND m.sender_id <> r.user_id
            GROUP BY 1, 2, 3
            """
        )
        return {(str(row[0]), str(row[1])): (row[2], row[3]) for row in rows}

    async def undone_facts(self) -> int:
        """Facts that a consumer has not dealt with yet."""
        return await count_unread(self._connection)

    async def given_up_facts(self) -> list[str]:
        rows = await self._connection.fetch("SELECT consumer, error FROM parked_facts")
        return [f"{row[0]} gave up: {row[1]}" for row in rows]

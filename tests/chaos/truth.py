"""What the database holds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import TypeAlias

import asyncpg

from tests.chaos.checker import Content, Truth
from tests.chaos.history import POSTS, conversation_room, feed_room
from tests.kit.facts import count_unread

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


async def read_truth(connection: Connection, people: Collection[str]) -> Truth:
    """All conversations of these people, all posts, and every person's feed."""
    ids = list(map(int, people))
    rows: dict[str, dict[int, Content]] = defaultdict(dict)
    audience: dict[str, set[str]] = defaultdict(set)
    for conversation_id, user_id in await connection.fetch(
        "SELECT conversation_id, user_id FROM conversation_members WHERE user_id = ANY($1)", ids
    ):
        audience[conversation_room(conversation_id)].add(str(user_id))
    for conversation_id, seq, sender_id, text in await connection.fetch(
        """
        SELECT m.conversation_id, m.seq, m.sender_id, m.text FROM messages m
        WHERE m.conversation_id IN (SELECT conversation_id FROM conversation_members WHERE user_id = ANY($1))
        """,
        ids,
    ):
        rows[conversation_room(conversation_id)][seq] = (str(sender_id), text)
    for id, author_id, text in await connection.fetch("SELECT id, author_id, text FROM posts WHERE deleted_at IS NULL"):
        rows[POSTS][id] = (str(author_id), text)
    audience |= {feed_room(user_id): {user_id} for user_id in people}
    for follower_id, id in await connection.fetch(
        """
        SELECT f.follower_id, p.id FROM follows f JOIN posts p ON p.author_id = f.followed_id
        WHERE f.follower_id = ANY($1) AND p.deleted_at IS NULL
        """,
        ids,
    ):
        rows[feed_room(str(follower_id))][id] = rows[POSTS][id]
    return Truth(rows, audience)


async def count_wrong_counters(connection: Connection) -> int:
    """People whose stored post count differs from their posts, plus posts that the fan-out has not processed."""
    return int(
        await connection.fetchval(
            """
            SELECT
                (
                    SELECT count(*) FROM users u
                    WHERE u.post_count <> (
                        SELECT count(*) FROM posts p WHERE p.author_id = u.id AND p.deleted_at IS NULL
                    )
                )
            """
        )
    ) + await count_unread(connection, "feed_fanout")

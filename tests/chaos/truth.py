"""What the rows say, and how hard PostgreSQL works."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

import asyncpg

from tests.chaos.checker import Content, Truth
from tests.chaos.history import POSTS, conversation_room, feed_room

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


_LOOK_EVERY_S = 0.05


async def read_truth(connection: Connection, people: Collection[str]) -> Truth:
    """All conversations of these people, all posts, and everybody's feed."""
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


@dataclass(slots=True)
class DatabaseLoad:
    """How PostgreSQL was used."""

    transactions: list[int] = field(default_factory=list)
    """In each second."""
    peak_connections: int = 0
    """How many were at work at the same moment, at most."""

    async def seconds(self, count: int) -> list[int]:
        """The transactions of the seconds to come."""
        seen = len(self.transactions)
        while len(self.transactions) < seen + count:
            await asyncio.sleep(_LOOK_EVERY_S)
        return self.transactions[seen:]


@asynccontextmanager
async def watched_database(database_url: str) -> AsyncIterator[DatabaseLoad]:
    """Counts while the block lasts, over a connection of its own: another one may be in use at any moment."""
    load = DatabaseLoad()

    async def watch(connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        known, second_at_s = await _transactions(connection), loop.time() + 1.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            load.peak_connections = max(load.peak_connections, await _connections_at_work(connection))
            if loop.time() >= second_at_s:
                second_at_s += 1.0
                count = await _transactions(connection)
                load.transactions.append(count - known)
                known = count

    connection = await asyncpg.connect(database_url)
    task = asyncio.create_task(watch(connection))
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait([task])
        await connection.close()
    if not task.cancelled():
        task.result()


async def _connections_at_work(connection: Connection) -> int:
    return int(
        await connection.fetchval(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
            """
        )
    )


async def _transactions(connection: Connection) -> int:
    """Sessions tell what they did about once a second."""
    return int(
        await connection.fetchval(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
    )

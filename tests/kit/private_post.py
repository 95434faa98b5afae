"""Posts that only their authors see; clients cannot choose this visibility yet."""

from __future__ import annotations

import asyncpg

from sql.database import Database, load_queries
from sql.ids import PostId, UserId
from tests.kit.server import Person


async def make_private(database_url: str, author: Person, post_id: str) -> None:
    """Hides a post by the product's own query, so that the counts of its author stay right."""
    connection = await asyncpg.connect(database_url)
    try:
        await Database(load_queries(), connection).posts.update_post(
            post_id=PostId(int(post_id)), author_id=UserId(int(author.id)), text=None, visibility="private"
        )
    finally:
        await connection.close()

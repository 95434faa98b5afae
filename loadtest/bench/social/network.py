"""The network of one run: a generated one, in which an author and some celebrities have as many followers as wanted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiosql
import asyncpg

from loadtest.bench.calls import BenchCaller, World
from loadtest.bench.social.plan import SocialSizes
from loadtest.people import People

STATEMENTS: Final = Path(__file__).with_name("network.sql")
AUTHOR: Final = 1
"""The place, among the logins, of the one whose posts are delivered to many. The first may be the demo account."""
FIRST_READER: Final = 10
"""From this place on are the followers of the author, and of the celebrities, who have more of them. The last people
follow no celebrity.
"""
CELEBRITIES_MAX: Final = FIRST_READER - AUTHOR - 1
_POSTS_MAX: Final = 4_096


def broadcaster_from(sizes: SocialSizes) -> int:
    """`FEED_FANOUT_MAX_FOLLOWERS` of the run: the author is just below, the celebrities are above."""
    return sizes.followers + 1


def first_without_celebrities(sizes: SocialSizes) -> int:
    """The place from which on people follow no celebrity."""
    return FIRST_READER + sizes.celebrity_followers


class SocialDatabase:
    """Statements of the benchmark itself."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection
        self._statements: Any = aiosql.from_path(STATEMENTS, "asyncpg")

    async def gather_followers(self, people: People, sizes: SocialSizes) -> int:
        """Gives the author and the celebrities their followers; returns how many follows there are now."""
        connection, statements = self._connection, self._statements
        user_ids = [int(people.login_at(place).user_id) for place in range(len(people))]
        celebrities = user_ids[AUTHOR + 1 : AUTHOR + 1 + sizes.celebrities]
        readers = user_ids[FIRST_READER:]
        async with connection.transaction():
            if sizes.more_follows:
                await statements.add_spread_follows(connection, user_ids=readers, each=sizes.more_follows)
            await statements.remove_followers(connection, author_ids=[user_ids[AUTHOR], *celebrities])
            for author_ids, count in (([user_ids[AUTHOR]], sizes.followers), (celebrities, sizes.celebrity_followers)):
                await statements.add_followers(connection, author_ids=author_ids, follower_ids=readers[:count])
            await statements.count_followers(connection, broadcaster_from=broadcaster_from(sizes))
        await statements.know_sizes(connection)
        return int(await statements.count_follows(connection))

    async def choose_world(self, people: People, sizes: SocialSizes) -> World:
        """The callers of mixed commands and of likes, with posts and people for them."""
        logins = [people.login_at(FIRST_READER + number) for number in range(sizes.sockets)]
        callers = tuple(BenchCaller(int(login.user_id), login.access_token, 0) for login in logins)
        user_ids = tuple(int(people.login_at(place).user_id) for place in range(FIRST_READER, len(people)))
        rows = self._statements.public_posts(self._connection, row_limit=_POSTS_MAX)
        return World(callers, tuple([row["id"] async for row in rows]), user_ids)

    async def count_likes(self, post_id: str) -> tuple[int, int]:
        """The likes of a post: their rows, and the number that stands with the post."""
        found: Mapping[str, int] = await self._statements.count_likes(self._connection, post_id=int(post_id))
        return found["row_count"], found["like_count"]


@asynccontextmanager
async def social_database(url: str) -> AsyncIterator[SocialDatabase]:
    """A connection during the block, whose statements may take long."""
    connection = await asyncpg.connect(url, server_settings={"statement_timeout": "0"})
    try:
        yield SocialDatabase(connection)
    finally:
        await connection.close()

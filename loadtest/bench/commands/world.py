"""Chooses the people, posts and conversations that a run works with, from a seeded network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import asyncpg

from loadtest.bench.calls import BenchCaller, World
from loadtest.bench.commands.plans import FEED_LIST_MAX, LARGEST_ID, feed_list
from loadtest.bench.commands.statements import Statement, statement
from loadtest.people import Login, People

POSTS_MAX: Final = 4_096
_OF_EACH: Final = 40


async def choose_world(database_url: str, statements: Mapping[str, Statement], tokens: Path, *, count: int) -> World:
    """`count` callers from all over the network, each with a conversation, which is opened where there is none."""
    people = People.from_file(tokens)
    logins = _spread(people, count)
    others = _spread(people, min(POSTS_MAX, len(people)))
    user_ids = tuple(int(login.user_id) for login in others)
    connection = await asyncpg.connect(database_url)
    try:
        chooser = _Chooser(connection, statements)
        conversations = await chooser.conversations(logins)
        callers = tuple(
            BenchCaller(int(login.user_id), login.access_token, conversations[int(login.user_id)]) for login in logins
        )
        return World(callers, await chooser.post_ids(int(logins[0].user_id), user_ids), user_ids)
    finally:
        await connection.close()


def _spread(people: People, count: int) -> list[Login]:
    return [people.login_at(number * len(people) // count) for number in range(count)]


async def first_feed(
    database_url: str, world: World, statements: Mapping[str, Statement]
) -> dict[str, int | list[int]]:
    """The list that the product would keep for the feed of the first caller."""
    connection = await asyncpg.connect(database_url)
    try:
        viewer_id = world.callers[0].user_id
        found = await _Chooser(connection, statements).rows(
            "feed.home_ids", viewer_id=viewer_id, id_limit=FEED_LIST_MAX
        )
        return feed_list([row[0] for row in found])
    finally:
        await connection.close()


class _Chooser:
    def __init__(self, connection: asyncpg.Connection[Any], statements: Mapping[str, Statement]) -> None:
        self._connection = connection
        self._statements = statements

    async def conversations(self, logins: Sequence[Login]) -> dict[int, int]:
        """A conversation of each person; of different ones where possible, since senders wait for each other."""
        user_ids = [int(login.user_id) for login in logins]
        memberships = await self.rows("chat.list_memberships", user_ids=user_ids)
        found: dict[int, int] = {}
        for user_id, conversation_id in memberships:
            if user_id not in found and conversation_id not in found.values():
                found[user_id] = conversation_id
        found = dict(map(tuple, memberships)) | found
        for place, user_id in enumerate(user_ids):
            if user_id not in found:
                opened = await self.rows("chat.open_direct", viewer_id=user_id, other_id=user_ids[place - 1])
                found[user_id] = opened[0][0]
        return found

    async def post_ids(self, viewer_id: int, author_ids: Sequence[int]) -> tuple[int, ...]:
        """Posts of these people that everybody sees."""
        found: list[int] = []
        for author_id in author_ids:
            page = await self.rows(
                "posts.list_posts",
                viewer_ids=[viewer_id],
                author_ids=[author_id],
                befores=[LARGEST_ID],
                skips=[0],
                page_sizes=[_OF_EACH],
            )
            found += [row[1] for row in page]
            if len(found) >= POSTS_MAX:
                break
        if not found:
            raise ValueError("the network has no posts")
        return tuple(found[:POSTS_MAX])

    async def rows(self, name: str, **arguments: Any) -> Sequence[Any]:
        found = statement(self._statements, name, list(arguments))
        return await self._connection.fetch(found.text, *(arguments[parameter] for parameter in found.parameters))

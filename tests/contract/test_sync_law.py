"""The sync law: an earlier read, with `sync:pull` from its position, equals a new read, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from handlers.accounts import acts
from handlers.collections import BoundCollection, ReadFrom
from handlers.context import Context
from handlers.cursor import Progress
from handlers.people import relations
from handlers.sync import operations
from sql.ids import MAX_ID
from tests.contract.sync_store import COLLECTIONS, READERS, SyncStore
from tests.contract.walking_crowd import Crowd, gather_crowd, walk
from tests.handlers.chat.talk import value
from tests.kit.positions import WITHIN_S
from tests.kit.server import RunningServer, running_server, settings_for_tests


@pytest_asyncio.fixture
async def two_nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        yield one, other


def test_every_collection_is_under_the_law() -> None:
    assert set(READERS) == set(COLLECTIONS)


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_was_away_holds_what_is_after_a_pull(
    two_nodes: tuple[RunningServer, RunningServer], seed: int
) -> None:
    assert await walk(await gather_crowd(two_nodes, "away", seed)) == []


async def told_of_counters(crowd: Crowd) -> list[str]:
    """The Collections of which a pull tells anything after likes and comments on a post that is in them."""
    one, other = crowd.people[:2]
    post_id = (await one.do("/posts", "post:create", {"text": "News"}))["post"]["id"]
    pulled = await other.do("/users", "sync:pull")
    while pulled["changes"]:
        pulled = await other.do("/users", "sync:pull", {"cursor": pulled["cursor"]})
    for person in crowd.people[1:]:
        await person.do("/posts", "post:like", {"post_id": post_id})
        await person.do("/posts", "comment:create", {"post_id": post_id, "text": "Well said"})
    return list((await other.do("/users", "sync:pull", {"cursor": pulled["cursor"]}))["changes"])


async def test_a_pull_tells_nothing_where_only_counters_moved(two_nodes: tuple[RunningServer, RunningServer]) -> None:
    assert await told_of_counters(await gather_crowd(two_nodes, "counted", 0)) == []


async def test_a_counter_that_moves_a_stamp_is_found(
    two_nodes: tuple[RunningServer, RunningServer], database_url: str
) -> None:
    crowd = await gather_crowd(two_nodes, "miscounted", 0)
    async with stamps(database_url, "posts", "change_stamp()"):
        assert await told_of_counters(crowd) == ["feed"]


STAMPED = {
    "bookmarks": "bookmarks",
    "conversations": "conversations",
    "feed": "posts",
    "me": "users",
    "messages": "messages",
    "relations": "relation_changes",
}
"""The table whose stamps tell that a Collection changed."""


@asynccontextmanager
async def stamps(database_url: str, table: str, stamp: str, column: str = "changed") -> AsyncIterator[None]:
    """Every change of the table has this stamp, whatever was changed."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE FUNCTION set_stamp() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN NEW.{column} := {stamp}; RETURN NEW; END $$;"
        f"CREATE TRIGGER a_fault BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION set_stamp()"
    )
    try:
        yield
    finally:
        await connection.execute("DROP FUNCTION set_stamp() CASCADE")
        await connection.close()


@pytest.mark.parametrize("name", sorted(COLLECTIONS))
async def test_the_law_finds_a_forgotten_stamp(
    two_nodes: tuple[RunningServer, RunningServer], database_url: str, name: str
) -> None:
    async with stamps(database_url, STAMPED[name], "0"):
        assert await is_found(two_nodes, f"fault.{name}.", name)


async def test_the_law_finds_an_edit_that_skips_its_rev(
    two_nodes: tuple[RunningServer, RunningServer], database_url: str
) -> None:
    async with stamps(database_url, "messages", "coalesce(OLD.rev, NEW.rev)", "rev"):
        assert await is_found(two_nodes, "skipped.", "messages")


async def is_found(nodes: Sequence[RunningServer], prefix: str, name: str) -> bool:
    """Whether a walk shows a fault in a Collection."""
    return any(f" holds of {name} " in line for line in await walk(await gather_crowd(nodes, prefix, 0)))


async def differences_after_a_ban(nodes: Sequence[RunningServer], prefix: str) -> list[str]:
    """What others hold otherwise than it is, once somebody whose posts they keep is banned, and once that is over."""
    crowd = await gather_crowd(nodes, prefix, 0)
    hidden, *others = crowd.people
    post_id = (await hidden.do("/posts", "post:create", {"text": "News"}))["post"]["id"]
    for other in others:
        await other.do("/posts", "bookmark:add", {"post_id": post_id})
    stores = [SyncStore(other) for other in others]
    found = []
    for act in (acts.ban, acts.unban):
        await asyncio.gather(*(store.settle() for store in stores))
        await nodes[0].node.operator.run(partial(act, act=acts.OPERATOR, username=hidden.username))
        await asyncio.gather(*(store.pull() for store in stores))
        found += [line for store in stores for line in await store.differences()]
    return found


async def test_who_was_away_holds_nothing_of_a_banned_user_until_they_are_back(
    two_nodes: tuple[RunningServer, RunningServer],
) -> None:
    assert await differences_after_a_ban(two_nodes, "banned.") == []


async def test_a_ban_without_its_stamp_is_found(
    two_nodes: tuple[RunningServer, RunningServer], database_url: str
) -> None:
    async with stamps(database_url, "users", "0", "published_changed"):
        found = await differences_after_a_ban(two_nodes, "unstamped.")
    assert {line.partition(" holds of ")[2].split()[0] for line in found} == {"feed", "bookmarks"}


async def removed_after_pages(crowd: Crowd) -> set[str]:
    """Who is told as removed to somebody who unfollowed the first person of a page before reading the next one."""
    one = crowd.people[0]
    page = await one.do("/users", "sync:pull", {"collections": ["relations"], "limit": 1})
    (first,) = page["changes"]["relations"]["upserts"]
    await one.do("/users", "user:unfollow", {"user_id": first["user_id"]})
    removed: set[str] = set()
    more = was_more = True
    while was_more or page["changes"]:  # the last page may tell nothing, and leads to the position of the first
        page = await one.do("/users", "sync:pull", {"cursor": page["cursor"], "limit": 1})
        was_more, more = more, page["more"]
        removed |= set(page["changes"].get("relations", {"removed": []})["removed"])
    assert removed <= {first["user_id"]}
    return removed


async def position_above_all(ctx: Context, database_url: str) -> int:
    """Where a new read would begin, once no transaction is open that began before this."""
    peek = await ctx.db.sync.peek(viewer_id=ctx.user_id, after=MAX_ID)
    assert peek is not None
    above = await value(database_url, "SELECT change_stamp()")
    async with asyncio.timeout(WITHIN_S):
        while peek is not None and peek.position <= above:
            await asyncio.sleep(0.01)
            peek = await ctx.db.sync.peek(viewer_id=ctx.user_id, after=MAX_ID)
    assert peek is not None
    return peek.position


async def test_what_changes_between_two_pages_is_told_after_the_last_one(
    two_nodes: tuple[RunningServer, RunningServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relations, "ITEMS_MAX", 1)
    assert await removed_after_pages(await gather_crowd(two_nodes, "paged", 0))


async def test_a_position_taken_from_the_last_page_is_found(
    two_nodes: tuple[RunningServer, RunningServer], database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_page = operations._read_page

    async def at_the_last_page(ctx: Context, bound: BoundCollection, start: ReadFrom, reached: Progress) -> Any:
        position = await position_above_all(ctx, database_url)
        return await read_page(ctx, bound, start, reached._replace(position=position))

    monkeypatch.setattr(relations, "ITEMS_MAX", 1)
    monkeypatch.setattr(operations, "_read_page", at_the_last_page)
    assert not await removed_after_pages(await gather_crowd(two_nodes, "misplaced", 0))

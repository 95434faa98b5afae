"""The sync law: an earlier read, with `sync:pull` from its position, equals a new read, whatever happened meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
import pytest_asyncio

from tests.contract.sync_store import COLLECTIONS, READERS
from tests.contract.walking_crowd import gather_crowd, walk
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


async def test_a_pull_tells_nothing_where_only_counters_moved(two_nodes: tuple[RunningServer, RunningServer]) -> None:
    crowd = await gather_crowd(two_nodes, "counted", 0)
    one, other = crowd.people[:2]
    post_id = (await one.do("/posts", "post:create", {"text": "News"}))["post"]["id"]
    cursor = (await other.do("/users", "sync:pull"))["cursor"]
    for person in crowd.people[1:]:
        await person.do("/posts", "post:like", {"post_id": post_id})
        await person.do("/posts", "comment:create", {"post_id": post_id, "text": "Well said"})
    pulled = await other.do("/users", "sync:pull", {"cursor": cursor})
    cursor = pulled["cursor"]
    assert (await other.do("/users", "sync:pull", {"cursor": cursor}))["changes"] == {}


STAMPED = {"feed": "posts", "me": "users", "relations": "relation_changes"}
"""The table whose stamps tell that a Collection changed."""


@asynccontextmanager
async def forgotten_stamps(database_url: str, table: str) -> AsyncIterator[None]:
    """Every change of the table keeps a stamp from before everything."""
    connection = await asyncpg.connect(database_url)
    await connection.execute(
        "CREATE FUNCTION forget_stamp() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN NEW.changed := 0; RETURN NEW; END $$;"
        f"CREATE TRIGGER a_fault BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION forget_stamp()"
    )
    try:
        yield
    finally:
        await connection.execute("DROP FUNCTION forget_stamp() CASCADE")
        await connection.close()


@pytest.mark.parametrize("name", sorted(COLLECTIONS))
async def test_the_law_finds_a_forgotten_stamp(
    two_nodes: tuple[RunningServer, RunningServer], database_url: str, name: str
) -> None:
    async with forgotten_stamps(database_url, STAMPED[name]):
        for seed in range(6):  # a walk in which a reset comes last shows nothing
            found = await walk(await gather_crowd(two_nodes, f"fault.{name}.", seed))
            if any(f" holds of {name} " in line for line in found):
                return
    pytest.fail("no walk has found it")

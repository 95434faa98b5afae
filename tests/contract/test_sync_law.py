"""The sync law: an earlier read, with `sync:pull` from its position, equals a new read, whatever happened meanwhile."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import asyncpg
import pytest
import pytest_asyncio

from tests.contract.sync_store import COLLECTIONS, READERS, SyncStore
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

ROUNDS = 12
ALLOWED = frozenset({"not_found", "conflict", "forbidden"})


class Crowd(NamedTuple):
    """The same people, each on one of two nodes, and how they come back."""

    people: list[Person]
    chance: random.Random


Act = Callable[[Crowd, Person, Person], Awaitable[None]]
"""Somebody does something, perhaps to somebody else. Refusals are fine, failures are not."""


async def tries(person: Person, namespace: str, name: str, payload: dict[str, Any]) -> dict[str, Any]:
    """The data of an answer; nothing where it was refused."""
    answer = await person.call(namespace, name, payload)
    assert answer["ok"] or answer["error"]["code"] in ALLOWED, (name, answer)
    data: dict[str, Any] = answer["data"] if answer["ok"] else {}
    return data


async def edits_the_profile(crowd: Crowd, one: Person, other: Person) -> None:
    change = crowd.chance.choice(["display_name", "bio"])
    await tries(one, "/users", "user:update", {change: f"Name {crowd.chance.randrange(99)}"})


async def edits_the_settings(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:update", {"settings": {"n": crowd.chance.randrange(99)}})


async def follows(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:follow", {"user_id": other.id})


async def unfollows(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/users", "user:unfollow", {"user_id": other.id})


async def blocks_for_a_while(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(
        one, "/users", crowd.chance.choice(["user:block", "user:unblock", "user:unblock"]), {"user_id": other.id}
    )


async def posts(crowd: Crowd, one: Person, other: Person) -> None:
    visibility = crowd.chance.choice(["public", "followers", "private"])
    await tries(one, "/posts", "post:create", {"text": f"News {crowd.chance.random()}", "visibility": visibility})


async def changes_a_post(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/posts", "post:list", {"user_id": one.id})
    if listed["items"]:
        named = {"post_id": crowd.chance.choice(listed["items"])["id"]}
        change: dict[str, str] = crowd.chance.choice(
            [{"text": f"Edited {crowd.chance.random()}"}, {"visibility": "private"}, {"visibility": "public"}]
        )
        await tries(one, "/posts", "post:update", {**named, **change})


async def deletes_a_post(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/posts", "post:list", {"user_id": one.id})
    if listed["items"]:
        await tries(one, "/posts", "post:delete", {"post_id": crowd.chance.choice(listed["items"])["id"]})


async def likes_and_comments(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/feed", "feed:page", {})
    if listed["items"]:
        named = {"post_id": crowd.chance.choice(listed["items"])["id"]}
        await tries(one, "/posts", "post:like", named)
        await tries(one, "/posts", "comment:create", {**named, "text": "Well said"})


async def writes(crowd: Crowd, one: Person, other: Person) -> None:
    await tries(one, "/chat", "message:write", {"user_id": other.id, "text": f"Hello {crowd.chance.random()}"})


async def reads(crowd: Crowd, one: Person, other: Person) -> None:
    listed = await tries(one, "/chat", "conversation:list", {})
    if listed["items"]:
        conversation = crowd.chance.choice(listed["items"])
        seq = crowd.chance.randrange(conversation["last_seq"] + 1)
        name = crowd.chance.choice(["message:read", "message:delivered"])
        await tries(one, "/chat", name, {"conversation_id": conversation["id"], "seq": seq})


ACTS: tuple[Act, ...] = (
    edits_the_profile,
    edits_the_settings,
    follows,
    unfollows,
    blocks_for_a_while,
    posts,
    posts,
    changes_a_post,
    deletes_a_post,
    likes_and_comments,
    writes,
    writes,
    reads,
)


@pytest_asyncio.fixture
async def two_nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        yield one, other


async def gather(nodes: tuple[RunningServer, RunningServer], prefix: str, seed: int) -> Crowd:
    """Four people who follow each other."""
    people = [await nodes[place % 2].person(f"{prefix}{seed}.{place}") for place in range(4)]
    for one in people:
        for other in people:
            if one is not other:
                await one.do("/users", "user:follow", {"user_id": other.id})
    return Crowd(people, random.Random(seed))


async def act(crowd: Crowd) -> None:
    """Everybody does something at the same time."""
    pairs = [(one, crowd.chance.choice([other for other in crowd.people if other is not one])) for one in crowd.people]
    await asyncio.gather(*(crowd.chance.choice(ACTS)(crowd, one, other) for one, other in pairs))


async def walk(crowd: Crowd, rounds: int = ROUNDS) -> list[str]:
    """Stores that are away for some rounds and pull meanwhile, while others act; what they hold that is not so."""
    stores = [SyncStore(person) for person in crowd.people]
    await asyncio.gather(*(store.pull() for store in stores))
    for _ in range(rounds):
        back = [store.pull() for store in stores if crowd.chance.random() < 0.3]
        await asyncio.gather(act(crowd), act(crowd), *back)
    await asyncio.gather(*(store.pull() for store in stores))
    return [line for store in stores for line in await store.differences()]


def test_every_collection_is_under_the_law() -> None:
    assert set(READERS) == set(COLLECTIONS)


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_was_away_holds_what_is_after_a_pull(
    two_nodes: tuple[RunningServer, RunningServer], seed: int
) -> None:
    assert await walk(await gather(two_nodes, "away", seed)) == []


async def test_a_pull_tells_nothing_where_only_counters_moved(two_nodes: tuple[RunningServer, RunningServer]) -> None:
    crowd = await gather(two_nodes, "counted", 0)
    one, other = crowd.people[:2]
    post_id = (await one.do("/posts", "post:create", {"text": "News"}))["post"]["id"]
    cursor = (await other.do("/users", "sync:pull"))["cursor"]
    for person in crowd.people[1:]:
        await person.do("/posts", "post:like", {"post_id": post_id})
        await person.do("/posts", "comment:create", {"post_id": post_id, "text": "Well said"})
    pulled = await other.do("/users", "sync:pull", {"cursor": cursor})
    cursor = pulled["cursor"]
    assert (await other.do("/users", "sync:pull", {"cursor": cursor}))["changes"] == {}


STAMPED = {"me": "users"}
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
    crowd = await gather(two_nodes, f"fault.{name}.", 1)
    async with forgotten_stamps(database_url, STAMPED[name]):
        assert any(f" holds of {name} " in line for line in await walk(crowd))

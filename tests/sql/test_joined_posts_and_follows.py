"""Posts and follows that are stored together with their Facts: each once, whatever fails."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from handlers.context import RaisedFact
from handlers.people.contract import FOLLOW_CREATED, FOLLOW_ENDED, FollowData
from handlers.posts.contract import POST_CREATED, PostFactData
from server.pipeline.unit_runner import store_facts
from sql.database import load_queries
from sql.errors import BadText, StatementTooSlow, Unavailable
from sql.graph import FollowRow
from sql.ids import UserId
from sql.pool import Pool, close_pool
from sql.posts import PostRow
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.sql.world import World

LEFT_OUT = (asyncio.CancelledError, Unavailable, StatementTooSlow)
"""What callers get whose calls were cancelled, or came upon a fault."""


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url, max_size=4)
    yield opened
    await close_pool(opened, timeout_s=5)


@pytest.fixture
def other_node(pool: Pool) -> Units:
    return Units(pool, load_queries(), acquire_timeout_s=5)


def post(
    node: Units, author_id: UserId, text: str = "hello", visibility: str = "public", client_id: str | None = None
) -> asyncio.Future[PostRow | None]:
    return asyncio.ensure_future(
        node.single_writes.posts.insert_post(
            author_id=author_id,
            kind="text",
            text=text,
            link=None,
            entity_set={},
            visibility=visibility,
            replies_from="everyone",
            sensitive=False,
            poll=None,
            client_id=client_id,
        )
    )


def follow(
    node: Units, follower_id: UserId, followed_id: UserId, wanted: bool = True
) -> asyncio.Future[FollowRow | None]:
    return asyncio.ensure_future(
        node.single_writes.graph.set_follow(
            follower_id=follower_id, followed_id=followed_id, wanted=wanted, broadcaster_from=10_000
        )
    )


async def answers(calls: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """Results and exceptions, each in its caller's place."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def facts_of(world: World, people: Sequence[UserId]) -> list[tuple[str, dict[str, Any]]]:
    """Names and payloads of the Facts about posts of these people, or about their follows."""
    return [
        (row[0], row[1])
        for row in await world.rows(
            "SELECT name, payload FROM facts"
            " WHERE coalesce(payload ->> 'author_id', payload ->> 'follower_id')::bigint = ANY($1) ORDER BY id",
            people,
        )
    ]


async def check_counts(world: World) -> None:
    """The counters of every user are those of the rows."""
    wrong = """
        SELECT u.id
        FROM users u
        CROSS JOIN LATERAL (
            SELECT
                count(*) AS in_all,
                count(*) FILTER (WHERE p.visibility <> 'private') AS for_followers,
                count(*) FILTER (WHERE p.visibility = 'public') AS for_all
            FROM posts p
            WHERE p.author_id = u.id AND p.deleted_at IS NULL
        ) made
        WHERE (u.post_count, u.followers_post_count) <> (made.in_all, made.for_followers)
           OR u.public_post_count <> made.for_all
           OR u.follower_count <> (SELECT count(*) FROM follows f WHERE f.followed_id = u.id)
           OR u.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id)
    """
    assert await world.rows(wrong) == []


async def test_facts_that_statements_store_are_those_of_the_contracts(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    made = await post(world.units, ann)
    assert made is not None
    await post(world.units, ann, visibility="private")
    for wanted in (True, True, False, False):
        await follow(world.units, ann, bob, wanted)
    data = FollowData(follower_id=ann, followed_id=bob)
    raised = [
        RaisedFact(POST_CREATED, PostFactData(post_id=made.id, author_id=ann)),
        RaisedFact(FOLLOW_CREATED, data),
        RaisedFact(FOLLOW_ENDED, data),
    ]
    stored = await world.rows("SELECT name, payload, lane FROM facts ORDER BY id")
    await world.execute("DELETE FROM facts")
    await world.write(lambda db: store_facts(db, raised))
    assert stored == await world.rows("SELECT name, payload, lane FROM facts ORDER BY id")


async def test_posts_of_one_moment_are_answered_in_their_places(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    calls = [post(world.units, author_id, f"text {n}") for n, author_id in enumerate([ann, bob, ann, ann, bob])]
    bad = [post(world.units, ann, "nul \0"), post(world.units, UserId(1))]
    rows = await answers(calls)
    assert [(row.text, row.author.id) for row in rows] == [
        (f"text {n}", author_id) for n, author_id in enumerate([ann, bob, ann, ann, bob])
    ]
    for row in rows:
        assert row == await world.units.reads.posts.read_post(viewer_id=row.author.id, post_id=row.id)
    refused, unknown = await answers(bad)
    assert isinstance(refused, BadText)
    assert unknown is None
    await check_counts(world)


async def test_calls_with_the_same_client_id_make_one_post(world: World, other_node: Units) -> None:
    (ann,) = await world.people("ann")
    rows = await answers([post(node, ann, client_id="1") for node in (world.units, other_node) * 4])
    assert sum(row is not None for row in rows) == 1
    assert len(await facts_of(world, [ann])) == 1
    await check_counts(world)


async def test_a_locked_user_holds_up_their_own_callers_only(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    async with world.units.write() as db:
        await db.people.lock_users(user_ids=[ann])
        waiting: list[asyncio.Future[Any]] = [post(world.units, ann)]
        waiting += [follow(world.units, bob, ann), follow(world.units, ann, cat)]
        for wanted in (True, False, True):
            row = await follow(world.units, bob, cat, wanted)
            assert row is not None
            assert row.changed
            assert await post(world.units, bob) is not None
        assert not any(call.done() for call in waiting)
    assert all(await answers(waiting))
    await check_counts(world)


@pytest.mark.parametrize("seed", range(3))
async def test_on_two_nodes_with_faults_each_change_is_stored_once_with_its_fact(
    world: World, other_node: Units, seed: int
) -> None:
    chance = random.Random(seed)
    people = await world.people(*["person"] * 5)
    asked: list[asyncio.Future[Any]] = []
    for number in range(300):
        node = chance.choice((world.units, other_node))
        one, other = chance.sample(people, 2)
        if chance.random() < 0.3:
            visibility = chance.choice(["public", "followers", "private"])
            asked.append(post(node, one, visibility=visibility, client_id=str(chance.randrange(number + 1))))
        else:
            asked.append(follow(node, one, other, chance.random() < 0.6))
        if chance.random() < 0.05:
            asked[-1].cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        if chance.random() < 0.03:
            async with world.units.write() as db:
                await db.people.lock_users(user_ids=[one])
                await asyncio.sleep(0.01)
        if number % 100 == 40:
            await world.lose_connections()
    results = await answers(asked)
    told = {type(result) for result in results}
    assert {PostRow, FollowRow} <= told <= {PostRow, FollowRow, type(None), *LEFT_OUT}
    await check_counts(world)
    facts = await facts_of(world, people)
    shown = [int(payload["post_id"]) for name, payload in facts if name == "post.created"]
    kept = await world.rows("SELECT id, visibility FROM posts WHERE author_id = ANY($1)", people)
    assert sorted(shown) == sorted(row[0] for row in kept if row[1] != "private")
    assert {row.id for row in results if isinstance(row, PostRow)} <= {row[0] for row in kept}
    steps = Counter[tuple[int, int]]()
    for name, payload in facts:
        if name != "post.created":
            pair = int(payload["follower_id"]), int(payload["followed_id"])
            steps[pair] += 1 if name == "follow.created" else -1
    follows = await world.rows("SELECT follower_id, followed_id FROM follows WHERE follower_id = ANY($1)", people)
    assert {pair for pair, step in steps.items() if step} == {(row[0], row[1]) for row in follows}
    assert set(steps.values()) <= {0, 1}

"""Joined statements against the same calls one by one, and what becomes of every caller when something fails."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any

import pytest
import pytest_asyncio

from sql.database import Database, load_queries
from sql.errors import BadText, ForeignKeyMissing, Unavailable
from sql.execution.joined_query import CALLS_MAX, JoinedQuery
from sql.execution.statements import Statements
from sql.ids import MAX_ID, CommentId, PostId, UserId
from sql.pool import PATIENCE, Pool, close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.sql.world import World

WHEN = JoinedQuery(
    "SELECT call.place, statement_timestamp() FROM unnest($1::bigint[]) WITH ORDINALITY AS call (number, place)",
    itemgetter(1),
    many_rows=False,
)
COUNTED = JoinedQuery(
    "SELECT call.place, step FROM unnest($1::bigint[]) WITH ORDINALITY AS call (number, place)"
    " CROSS JOIN LATERAL generate_series(1, call.number) AS step ORDER BY step DESC",
    itemgetter(1),
    many_rows=True,
)
ECHO = JoinedQuery(
    "SELECT call.place, call.said FROM unnest($1::text[]) WITH ORDINALITY AS call (said, place) WHERE call.said <> ''",
    itemgetter(1),
    many_rows=False,
)
NAPS = JoinedQuery(
    "SELECT call.place, call.nap_s FROM unnest($1::float8[]) WITH ORDINALITY AS call (nap_s, place)"
    " WHERE pg_sleep(call.nap_s) IS NOT NULL",
    itemgetter(1),
    many_rows=False,
)


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url, max_size=4, statement_timeout_ms=1_000)
    yield opened
    await close_pool(opened, timeout_s=5)


@pytest.fixture
def statements(pool: Pool) -> Statements:
    return Statements(pool, PATIENCE)


async def answers(calls: Sequence[Awaitable[Any]]) -> list[Any]:
    """Results and exceptions, each in its caller's place."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def test_the_calls_of_one_turn_are_one_statement(statements: Statements) -> None:
    assert len({await statements.join(WHEN, [1])}) == 1
    together = await answers([statements.join(WHEN, [number]) for number in range(CALLS_MAX)])
    assert len(set(together)) == 1


async def test_more_calls_than_a_statement_takes_are_several(statements: Statements) -> None:
    together = await answers([statements.join(WHEN, [number]) for number in range(3 * CALLS_MAX)])
    assert len(together) == 3 * CALLS_MAX
    assert len(set(together)) == 3
    few = replace(WHEN, calls_max=16)
    together = await answers([statements.join(few, [number]) for number in range(33)])
    assert sorted(Counter(together).values()) == [1, 16, 16]


async def test_every_caller_gets_its_own_rows_in_their_order(statements: Statements) -> None:
    numbers = [0, 3, 1, 3, 0, 2]
    expected = [list(range(number, 0, -1)) for number in numbers]
    assert await answers([statements.join(COUNTED, [number]) for number in numbers]) == expected


async def test_a_caller_without_a_row_gets_none_and_moves_nobody(statements: Statements) -> None:
    assert await answers([statements.join(ECHO, [said]) for said in ("a", "", "b", "")]) == ["a", None, "b", None]


async def test_a_bad_call_fails_alone(statements: Statements) -> None:
    said = [f"word {number}" for number in range(20)]
    said[3] = said[17] = "nul \0"
    results = await answers([statements.join(ECHO, [word]) for word in said])
    for word, result in zip(said, results, strict=True):
        if "\0" in word:
            assert isinstance(result, BadText)
        else:
            assert result == word
    assert results[3] is not results[17]


async def test_a_cancelled_caller_takes_nothing_from_the_others(statements: Statements) -> None:
    calls = [statements.join(ECHO, [str(number)]) for number in range(5)]
    calls[1].cancel()
    await asyncio.sleep(0)
    calls[3].cancel()  # its statement has left
    results = await answers(calls)
    assert [results[place] for place in (0, 2, 4)] == ["0", "2", "4"]
    assert all(isinstance(results[place], asyncio.CancelledError) for place in (1, 3))


async def test_calls_gather_while_two_statements_are_under_way(statements: Statements) -> None:
    first = [statements.join(NAPS, [0.1])]
    await asyncio.sleep(0)
    first.append(statements.join(NAPS, [0.1]))
    await asyncio.sleep(0)
    later = [statements.join(NAPS, [0.0]) for _ in range(5)]
    await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    assert not any(call.done() for call in later)
    assert await answers(later) == [0.0] * 5


async def test_behind_hung_statements_nobody_waits_longer_than_they_may_take(statements: Statements) -> None:
    hung = []
    for _ in range(2):
        hung.append(statements.join(NAPS, [60.0]))
        await asyncio.sleep(0)
    behind = [statements.join(NAPS, [0.0]) for _ in range(3 * CALLS_MAX)]
    other = statements.join(ECHO, ["another query is answered meanwhile"])
    assert await other
    assert not hung[0].done()
    results = await answers([*hung, *behind])
    assert all(isinstance(result, Unavailable) for result in results[: len(hung)])
    assert all(isinstance(result, Unavailable) or result == 0.0 for result in results)
    assert await statements.join(NAPS, [0.0]) == 0.0


async def test_a_lost_connection_is_unavailable_and_the_next_call_works(statements: Statements, world: World) -> None:
    asleep = [statements.join(NAPS, [0.1]) for _ in range(3)]
    ended = 0
    while not ended:
        ended = await world.value(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE query LIKE '%pg_sleep(call%' AND state = 'active' AND pid <> pg_backend_pid()"
        )
    assert all(isinstance(result, Unavailable) for result in await answers(asleep))
    assert await statements.join(NAPS, [0.0]) == 0.0


async def test_a_closed_pool_answers_every_caller(database_url: str) -> None:
    pool = await opened_pool(database_url)
    statements = Statements(pool, PATIENCE)
    await statements.join(WHEN, [1])
    await close_pool(pool, timeout_s=5)
    results = await answers([statements.join(WHEN, [number]) for number in range(3)])
    assert [type(result) for result in results] == [Unavailable] * 3


async def network(world: World, chance: random.Random) -> tuple[list[UserId], list[PostId], list[CommentId]]:
    people = await world.people(*["person"] * 6)
    posts = [
        await world.post(chance.choice(people), visibility=chance.choice(["public", "followers"])) for _ in range(12)
    ]
    for _ in range(14):
        await world.follow(*chance.sample(people, 2))
    for _ in range(2):
        await world.block(*chance.sample(people, 2))
    comments: list[CommentId] = []
    for _ in range(12):
        post_id = posts[len(comments) % 3]
        parent_id = comments[-3] if len(comments) > 3 and chance.random() < 0.5 else None
        comments.append(await world.comment(post_id, chance.choice(people), parent_id))
    for _ in range(12):
        await like(world.units, chance.choice(posts), chance.choice(people))
    return people, posts, comments


ReadCall = tuple[str, dict[str, Any]]


def random_read(
    chance: random.Random,
    people: Sequence[UserId],
    names: Sequence[str],
    posts: Sequence[PostId],
    comments: Sequence[CommentId],
) -> ReadCall:
    viewer_id, other_id = (chance.choice([*people, UserId(1)]) for _ in range(2))
    post_id, comment_id = chance.choice([*posts, PostId(1)]), chance.choice([*comments, CommentId(1)])
    size = chance.randrange(1, 6)
    page = {"viewer_id": viewer_id, "before": chance.choice([MAX_ID, *posts, *comments]), "page_size": size}
    ids = sorted(chance.sample(posts, chance.randrange(len(posts))), reverse=True)
    home = {"ids": ids, "version": chance.randrange(4), "floor": chance.choice([0, *posts]), "skip": size % 3}
    calls: list[ReadCall] = [
        ("people.read_own_profile", {"user_id": viewer_id}),
        ("people.read_person", {"viewer_id": viewer_id, "user_id": other_id}),
        ("people.read_person_by_username", {"viewer_id": viewer_id, "username_folded": chance.choice(names)}),
        ("posts.read_post", {"viewer_id": viewer_id, "post_id": post_id}),
        ("posts.list_posts", {**page, "author_id": other_id, "skip": chance.choice([0, 1])}),
        ("posts.list_likers", {**page, "post_id": post_id}),
        ("comments.read_comment", {"viewer_id": viewer_id, "comment_id": comment_id}),
        ("comments.hidden_from", {"comment_id": comment_id, "id_limit": 100}),
        ("comments.list_comments", {**page, "post_id": post_id}),
        ("comments.list_replies", {**page, "post_id": post_id, "parent_id": comment_id}),
        ("graph.list_followers", {**page, "user_id": other_id}),
        ("graph.list_following", {**page, "user_id": other_id}),
        ("feed.home_page", {**page, **home}),
        ("accounts.read_credentials", {"login": chance.choice(names), "network": "192.0.2.1"}),
    ]
    return chance.choice(calls)


def run(db: Database, call: ReadCall) -> Awaitable[Any]:
    query, arguments = call
    aggregate, name = query.split(".")
    answer: Awaitable[Any] = getattr(getattr(db, aggregate), name)(**arguments)
    return answer


@pytest.mark.parametrize("seed", range(4))
async def test_joined_calls_answer_as_the_same_calls_one_by_one(world: World, seed: int) -> None:
    """Real queries on random arguments, sent in bursts, with callers who leave and connections that are lost."""
    chance = random.Random(seed)
    people, posts, comments = await network(world, chance)
    names = [row[0] for row in await world.rows("SELECT username FROM users WHERE id = ANY($1)", people)]
    asked: list[tuple[asyncio.Future[Any], ReadCall]] = []
    for number in range(300):
        call = random_read(chance, people, names, posts, comments)
        future = asyncio.ensure_future(run(world.units.reads, call))
        if chance.random() < 0.1:
            future.cancel()
        asked.append((future, call))
        if chance.random() < 0.1:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        if number % 100 == 40:
            await world.lose_connections()
        elif number % 100 == 99:
            await answers([future for future, _ in asked])  # so that the next loss cannot take more than forty of them
    results = await answers([future for future, _ in asked])
    left_out, rows = (asyncio.CancelledError, Unavailable), 0
    async with world.units.write() as db:
        for result, (_, call) in zip(results, asked, strict=True):
            if isinstance(result, left_out):
                continue
            alone = await run(db, call)
            if call[0] == "comments.hidden_from":  # has no order
                result, alone = sorted(result), sorted(alone)
            assert result == alone, call
            rows += bool(result)
    assert rows > 40


def like(node: Units, post_id: PostId, user_id: UserId, wanted: bool = True) -> Awaitable[Any]:
    return node.single_writes.posts.set_like(post_id=post_id, user_id=user_id, wanted=wanted)


async def counts(world: World) -> list[tuple[int, int]]:
    """The counter and the number of likes of each post, where they differ."""
    found: list[tuple[int, int]] = await world.rows(
        "SELECT p.like_count, count(l.user_id) FROM posts p LEFT JOIN post_likes l ON l.post_id = p.id"
        " GROUP BY p.id HAVING p.like_count <> count(l.user_id)"
    )
    return found


async def test_writes_of_one_key_take_effect_in_their_order(world: World) -> None:
    (ann,) = await world.people("ann")
    post_id = await world.post(ann)
    wanted = [True, False, True, True, False, True]
    results = await answers([like(world.units, post_id, ann, each) for each in wanted])
    assert [(row.changed, row.like_count) for row in results] == [
        (True, 1),
        (True, 0),
        (True, 1),
        (False, 1),
        (True, 0),
        (True, 1),
    ]


async def test_a_bad_write_fails_alone(world: World) -> None:
    ann, *fans = await world.people("ann", *["fan"] * 9)
    post_id = await world.post(ann)
    results = await answers([like(world.units, post_id, fan) for fan in [*fans[:4], UserId(1), *fans[4:]]])
    assert isinstance(results.pop(4), ForeignKeyMissing)
    assert all(row.changed for row in results)
    assert await counts(world) == []


async def test_a_locked_row_holds_up_its_own_callers_only(world: World) -> None:
    ann, *fans = await world.people("ann", *["fan"] * 5)
    locked, other = await world.post(ann), await world.post(ann)
    async with world.units.write() as db:
        await db.posts.lock_post(post_id=locked)
        waiting = [asyncio.ensure_future(like(world.units, locked, fan)) for fan in fans]
        again = asyncio.ensure_future(like(world.units, locked, fans[0], wanted=False))
        for _ in range(3):
            assert all(row.changed for row in await answers([like(world.units, other, fan) for fan in fans]))
            assert all(row.changed for row in await answers([like(world.units, other, fan, False) for fan in fans]))
        assert not any(call.done() for call in [*waiting, again])
    assert all(row.changed for row in await answers(waiting))
    assert (await again).changed
    assert await counts(world) == []


async def test_a_row_that_stays_locked_ends_in_unavailable_and_only_there(world: World, pool: Pool) -> None:
    ann, *fans = await world.people("ann", *["fan"] * 5)
    locked, other = await world.post(ann), await world.post(ann)
    hurried = Units(pool, load_queries(), acquire_timeout_s=5)  # its statements end after a second
    async with world.units.write() as db:
        await db.posts.lock_post(post_id=locked)
        hung = [asyncio.ensure_future(like(hurried, locked, fan)) for fan in fans]
        assert (await like(hurried, other, ann)).changed
        assert all(isinstance(result, Unavailable) for result in await answers(hung))
        assert (await like(hurried, other, fans[0])).changed
    assert (await like(hurried, locked, fans[0])).changed
    assert await counts(world) == []


async def test_behind_a_locked_table_every_writer_is_answered(world: World, pool: Pool) -> None:
    ann, *fans = await world.people("ann", *["fan"] * 3)
    posts = [await world.post(ann) for _ in range(100)]
    hurried = Units(pool, load_queries(), acquire_timeout_s=5)  # its statements end after a second
    async with world.units.write() as db:
        await db.connection.execute("LOCK TABLE post_likes IN ACCESS EXCLUSIVE MODE")
        results = await answers([like(hurried, post_id, fan) for post_id in posts for fan in fans])
    assert all(isinstance(result, Unavailable) for result in results)
    assert (await like(hurried, posts[0], fans[0])).changed
    assert await counts(world) == []


async def test_a_row_that_is_locked_for_a_moment_does_not_wait_for_one_that_stays_locked(
    pool: Pool, world: World
) -> None:
    ann, *fans = await world.people("ann", *["fan"] * 5)
    stays, moment = await world.post(ann), await world.post(ann)
    async with world.units.write() as db:
        await db.posts.lock_post(post_id=stays)
        hung = [asyncio.ensure_future(like(world.units, stays, fan)) for fan in fans]
        async with world.units.write() as other:
            await other.posts.lock_post(post_id=moment)
            waiting = asyncio.ensure_future(like(world.units, moment, fans[0]))
            await asyncio.sleep(0.15)  # by now it has been skipped, and both places to wait alone are taken
            assert not waiting.done()
        assert (await waiting).changed
        assert not any(call.done() for call in hung)
    assert all(row.changed for row in await answers(hung))


@pytest.mark.parametrize("seed", range(3))
async def test_writes_on_two_nodes_with_faults_are_each_answered_and_counted_once(
    world: World, pool: Pool, seed: int
) -> None:
    chance = random.Random(seed)
    people = await world.people(*["person"] * 5)
    posts = [await world.post(people[0]) for _ in range(4)]
    nodes = (world.units, Units(pool, load_queries(), acquire_timeout_s=5))
    last: dict[tuple[UserId, PostId], bool] = {}
    asked: list[tuple[tuple[UserId, PostId] | None, bool, asyncio.Future[Any]]] = []
    for _ in range(150):
        user_id, post_id, wanted = chance.choice(people), chance.choice(posts), chance.random() < 0.6
        # A person uses one node: between two nodes nothing orders what one person does at once.
        node = nodes[people.index(user_id) % 2]
        if chance.random() < 0.05:
            asked.append((None, wanted, asyncio.ensure_future(like(node, post_id, UserId(1), wanted))))
            continue
        asked.append(((user_id, post_id), wanted, asyncio.ensure_future(like(node, post_id, user_id, wanted))))
        if chance.random() < 0.05:
            asked[-1][2].cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        if chance.random() < 0.03:
            async with world.units.write() as db:
                await db.posts.lock_post(post_id=post_id)
                await asyncio.sleep(0.01)
    for key, wanted, future in asked:
        (result,) = await answers([future])
        if key is None:
            assert isinstance(result, ForeignKeyMissing) or result is None or not result.changed
        elif not isinstance(result, asyncio.CancelledError):
            assert result.like_count >= 0
        if key is not None:
            last[key] = wanted
    assert await counts(world) == []
    liked = {
        (row[0], row[1])
        for row in await world.rows("SELECT user_id, post_id FROM post_likes WHERE post_id = ANY($1)", posts)
    }
    assert liked == {key for key, wanted in last.items() if wanted}

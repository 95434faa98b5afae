"""Joined comments: numbered and counted as one by one, and answered to each caller whatever fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from sql.comments import NewCommentRow
from sql.database import load_queries
from sql.errors import ForeignKeyMissing, StatementTooSlow, Unavailable
from sql.ids import CommentId, PostId, UserId
from sql.pool import Pool, close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.sql.world import World

LEFT_OUT = (asyncio.CancelledError, Unavailable, StatementTooSlow)
"""What callers get whose calls were cancelled, or came upon a fault."""


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url, max_size=4, statement_timeout_ms=1_000)
    yield opened
    await close_pool(opened, timeout_s=5)


@pytest.fixture
def other_node(pool: Pool) -> Units:
    return Units(pool, load_queries(), acquire_timeout_s=5)


def comment(
    node: Units,
    post_id: PostId,
    author_id: UserId,
    parent_id: CommentId | None = None,
    text: str = "well",
    client_id: str | None = None,
) -> asyncio.Future[NewCommentRow | None]:
    return asyncio.ensure_future(
        node.single_writes.comments.insert_comment(
            post_id=post_id, parent_id=parent_id, author_id=author_id, text=text, client_id=client_id, id_limit=9
        )
    )


async def answers(calls: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """Results and exceptions, each in its caller's place."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def check_counts(world: World) -> None:
    """Counters and the last id of every post and comment are those of its rows."""
    wrong = """
        SELECT p.id, p.comment_count, p.last_comment_id, made.amount, made.newest_id
        FROM posts p
        CROSS JOIN LATERAL (
            SELECT count(*) AS amount, coalesce(max(c.id), 0) AS newest_id FROM comments c WHERE c.post_id = p.id
        ) made
        WHERE (p.comment_count, p.last_comment_id) <> (made.amount, made.newest_id)
        UNION ALL
        SELECT c.id, c.reply_count, 0, replies.amount, 0
        FROM comments c
        CROSS JOIN LATERAL (SELECT count(*) AS amount FROM comments r WHERE r.parent_id = c.id) replies
        WHERE c.reply_count <> replies.amount
    """
    assert await world.rows(wrong) == []


async def test_comments_of_one_moment_are_numbered_in_the_order_of_their_calls(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    one, other = await world.post(ann), await world.post(bob)
    top = await world.comment(one, ann)
    ahead = await world.value("SELECT id_at(now() + interval '1 hour')")
    await world.execute("UPDATE posts SET last_comment_id = $2 WHERE id = $1", other, ahead)
    placed: list[tuple[PostId, UserId, CommentId | None]] = [(one, ann, None), (other, ann, None)]
    placed += [(one, bob, top), (one, ann, top), (other, bob, None), (one, bob, None)]
    calls = [
        comment(world.units, post_id, author_id, parent_id, f"text {place}")
        for place, (post_id, author_id, parent_id) in enumerate(placed)
    ]
    rows = [row.comment for row in await answers(calls)]
    assert [row.text for row in rows] == [f"text {place}" for place in range(6)]
    assert [row.author.id for row in rows] == [ann, ann, bob, ann, bob, bob]
    assert [row.parent_id for row in rows] == [None, None, top, top, None, None]
    of_one, of_other = ([row.id for row in rows if row.post_id == post_id] for post_id in (one, other))
    assert [top, *of_one] == sorted({top, *of_one})
    assert [ahead, *of_other] == sorted({ahead, *of_other})
    await check_counts(world)


async def test_calls_with_the_same_client_id_make_one_comment(world: World, other_node: Units) -> None:
    (ann,) = await world.people("ann")
    post_id = await world.post(ann)
    rows = await answers([comment(node, post_id, ann, client_id="1") for node in (world.units, other_node) * 4])
    assert sum(row is not None for row in rows) == 1
    await check_counts(world)


async def test_a_bad_comment_fails_alone(world: World) -> None:
    (ann,) = await world.people("ann")
    posts = [await world.post(ann) for _ in range(3)]
    await world.write(lambda db: db.posts.delete_post(post_id=posts[1], author_id=ann))
    refused = [comment(world.units, post_id, ann) for post_id in (posts[1], PostId(1))]
    unknown = comment(world.units, posts[0], UserId(1))
    to_none = comment(world.units, posts[0], ann, CommentId(1))
    good = [comment(world.units, post_id, ann) for post_id in (posts[0], posts[2], posts[0])]
    assert await answers([*refused, to_none]) == [None, None, None]
    assert [type(error) for error in await answers([unknown])] == [ForeignKeyMissing]
    assert all(row is not None and row.comment.author.id == ann for row in await answers(good))
    await check_counts(world)


async def test_a_locked_post_holds_up_its_own_comments_only(world: World) -> None:
    (ann,) = await world.people("ann")
    locked, other = await world.post(ann), await world.post(ann)
    async with world.units.write() as db:
        await db.posts.lock_post(post_id=locked)
        waiting = [comment(world.units, locked, ann, text=str(number)) for number in range(5)]
        for _ in range(3):
            assert None not in await answers([comment(world.units, other, ann) for _ in range(4)])
        assert not any(call.done() for call in waiting)
    rows = [row.comment for row in await answers(waiting)]
    assert [row.text for row in sorted(rows)] == [str(number) for number in range(5)]
    await check_counts(world)


async def test_a_post_that_stays_locked_ends_in_unavailable_and_only_there(world: World, other_node: Units) -> None:
    (ann,) = await world.people("ann")
    locked, other = await world.post(ann), await world.post(ann)
    async with world.units.write() as db:
        await db.posts.lock_post(post_id=locked)
        hung = [comment(other_node, locked, ann) for _ in range(3)]  # its statements end after a second
        assert await comment(other_node, other, ann) is not None
        assert all(isinstance(result, Unavailable) for result in await answers(hung))
    assert await comment(other_node, locked, ann) is not None
    await check_counts(world)


@pytest.mark.parametrize("seed", range(3))
async def test_comments_on_two_nodes_with_faults_are_each_answered_and_made_once(
    world: World, other_node: Units, seed: int
) -> None:
    chance = random.Random(seed)
    people = await world.people(*["person"] * 4)
    posts = [await world.post(people[0]) for _ in range(3)]
    tops = {post_id: [None, await world.comment(post_id, people[0])] for post_id in posts}
    asked: list[tuple[str, asyncio.Future[NewCommentRow | None]]] = []
    for number in range(250):
        node, post_id = chance.choice((world.units, other_node)), chance.choice(posts)
        client_id = str(chance.randrange(number + 1)) if chance.random() < 0.2 else str(number)
        author_id = people[int(client_id) % 4]
        parent_id = tops[post_id][int(client_id) % 2]
        asked.append((client_id, comment(node, post_id, author_id, parent_id, client_id, client_id)))
        if chance.random() < 0.05:
            asked[-1][1].cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        if chance.random() < 0.03:
            async with world.units.write() as db:
                await db.posts.lock_post(post_id=post_id)
                await asyncio.sleep(0.01)
        if number % 100 == 40:
            await world.lose_connections()
    results = await answers([future for _, future in asked])
    made = [row.comment for row in results if isinstance(row, NewCommentRow)]
    assert len(made) > 20
    assert {type(result) for result in results} <= {NewCommentRow, type(None), *LEFT_OUT}
    for (client_id, _), row in zip(asked, results, strict=True):
        assert not isinstance(row, NewCommentRow) or row.comment.text == client_id
    kept = dict(await world.rows("SELECT id, client_id FROM comments WHERE author_id = ANY($1)", people))
    kept = {comment_id: client_id for comment_id, client_id in kept.items() if client_id is not None}
    assert len(set(kept.values())) == len(kept)
    assert {row.id: row.client_id for row in made}.items() <= kept.items()
    await check_counts(world)

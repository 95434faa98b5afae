"""Counts of shares equal the rows, whatever is done at the same time."""

import random
from collections.abc import Awaitable, Callable

import pytest

from sql.database import UnitDatabase
from sql.ids import PostId, UserId
from tests.sql.world import World

Act = Callable[[UnitDatabase], Awaitable[object]]


def share(author_id: UserId, post_id: PostId, text: str = "") -> Act:
    async def act(db: UnitDatabase) -> object:
        await db.people.lock_users(user_ids=[author_id])
        await db.posts.lock_post(post_id=post_id)
        return await db.shares.insert_share(
            author_id=author_id, shared_id=post_id, text=text, entities={}, client_id=None
        )

    return act


def delete(author_id: UserId, post_id: PostId) -> Act:
    async def act(db: UnitDatabase) -> object:
        await db.people.lock_users(user_ids=[author_id])
        await db.shares.lock_with_shared(post_id=post_id)
        await db.posts.delete_post(post_id=post_id, author_id=author_id)
        return await db.shares.change_shares(shared_id=post_id)

    return act


def unshare(author_id: UserId, post_id: PostId) -> Act:
    async def act(db: UnitDatabase) -> object:
        share_id = await db.shares.find_share(author_id=author_id, post_id=post_id)
        return None if share_id is None else await delete(author_id, share_id)(db)

    return act


def edit(author_id: UserId, post_id: PostId) -> Act:
    async def act(db: UnitDatabase) -> object:
        await db.people.lock_users(user_ids=[author_id])
        await db.posts.lock_post(post_id=post_id)
        return await db.shares.change_shares(shared_id=post_id)

    return act


async def miscounted(world: World) -> tuple[int, int, int]:
    """Posts and people whose counts are not what the rows say, and plain shares that somebody has twice."""
    return (
        await world.value(
            """
            SELECT count(*) FROM posts p
            WHERE p.share_count
                <> (SELECT count(*) FROM posts s WHERE s.shared_id = p.id AND s.deleted_at IS NULL)
            """
        ),
        await world.value(
            """
            SELECT count(*) FROM users u
            WHERE u.post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id AND p.deleted_at IS NULL)
            """
        ),
        await world.value(
            """
            SELECT count(*) FROM (
                SELECT FROM posts s WHERE s.kind = 'share' AND s.text = '' AND s.deleted_at IS NULL
                GROUP BY s.author_id, s.shared_id HAVING count(*) > 1
            ) twice
            """
        ),
    )


@pytest.mark.parametrize("seed", range(3))
async def test_counts_equal_the_rows_after_shares_and_deletions_at_once(world: World, seed: int) -> None:
    chance = random.Random(seed)
    people = await world.people("ann", "bob", "cleo")
    posts = {await world.post(author): author for author in people[:2]}
    for _ in range(6):
        acts: list[Act] = []
        for _ in range(8):
            person, (post_id, author) = chance.choice(people), chance.choice(list(posts.items()))
            acts.append(
                chance.choice(
                    [
                        share(person, post_id),
                        share(person, post_id, "quote"),
                        unshare(person, post_id),
                        edit(author, post_id),
                    ]
                )
            )
        await world.at_once(acts)
        assert await miscounted(world) == (0, 0, 0)
    shares = await world.rows("SELECT id, author_id FROM posts WHERE kind = 'share' AND deleted_at IS NULL")
    gone = next(iter(posts))
    await world.at_once([delete(posts[gone], gone), *[delete(author_id, id_) for id_, author_id in shares[::2]]])
    assert await miscounted(world) == (0, 0, 0)
    assert await world.write(share(people[2], gone)) is None

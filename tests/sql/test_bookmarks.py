"""Bookmarks in SQL: what tells cheaply that nothing has changed, and who is seen by others than before."""

import pytest

from sql.ids import PostId, UserId
from tests.sql.world import World


async def bookmark(world: World, user_id: UserId, post_id: PostId) -> object:
    return await world.write(lambda db: db.bookmarks.insert_bookmark(user_id=user_id, post_id=post_id))


async def is_told(world: World, viewer_id: UserId, since: int) -> tuple[bool, list[tuple[bool, PostId | None]]]:
    """What a peek says, and the changes by whether they are a reset."""
    peek = await world.units.reads.sync.peek(viewer_id=viewer_id, after=since)
    assert peek is not None
    rows = await world.units.reads.bookmarks.changed_bookmarks(viewer_id=viewer_id, since=since, page_size=10)
    return peek.bookmarks, [(row.is_reset, row.post_id) for row in rows]


async def horizon(world: World) -> int:
    """Above everything that is stored."""
    stamp: int = await world.value("SELECT change_stamp()")
    return stamp


@pytest.mark.parametrize("others", [0, 60])
async def test_a_peek_tells_changes_of_bookmarked_posts_among_few_and_many(world: World, others: int) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id, other_id = [await world.post(bob) for _ in range(2)]
    assert await bookmark(world, ann, post_id)
    assert await bookmark(world, ann, post_id) is None
    since = await horizon(world)
    for _ in range(others):
        await world.post(bob)
    await world.execute("UPDATE posts SET changed = change_stamp() WHERE id = $1", other_id)
    assert await is_told(world, ann, since) == (False, [])
    await world.execute("UPDATE posts SET changed = change_stamp() WHERE id = $1", post_id)
    assert await is_told(world, ann, since) == (True, [(False, post_id)])
    assert await is_told(world, bob, since) == (False, [])


async def test_an_author_who_is_seen_by_others_resets_the_bookmarks_of_their_posts(world: World) -> None:
    ann, bob, cleo = await world.people("ann", "bob", "cleo")
    post_id = await world.post(bob)
    await bookmark(world, ann, post_id)
    since = await horizon(world)
    await world.execute("UPDATE users SET published_changed = change_stamp() WHERE id = $1", cleo)
    assert await is_told(world, ann, since) == (False, [])
    await world.execute("UPDATE users SET published_changed = change_stamp() WHERE id = $1", bob)
    assert await is_told(world, ann, since) == (True, [(True, None)])
    await world.write(lambda db: db.bookmarks.remove_bookmark(user_id=ann, post_id=post_id))
    assert await is_told(world, ann, since) == (True, [(False, post_id)])

from typing import Any

from sql.ids import PostId, UserId
from tests.sql.world import World

POLL = {"options": ["a", "b"], "multiple": True, "closes_in_s": 60}


async def poll_of(world: World, author_id: UserId) -> PostId:
    row = await world.write(
        lambda db: db.posts.insert_post(
            author_id=author_id,
            kind="poll",
            text="Which?",
            link=None,
            entity_set={},
            visibility="public",
            replies_from="everyone",
            sensitive=False,
            poll=POLL,
            client_id=None,
        )
    )
    assert row is not None and row.poll is not None
    return row.id


async def cast(world: World, post_id: PostId, user_id: UserId, choices: list[int]) -> Any:
    async with world.units.write() as db:
        await db.posts.lock_post(post_id=post_id)
        return await db.polls.set_vote(post_id=post_id, user_id=user_id, choices=choices)


async def test_a_vote_replaces_the_earlier_one_and_counts_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id = await poll_of(world, ann)
    answers = [await cast(world, post_id, bob, choices) for choices in ([0], [0, 1], [1], [1], [], [])]
    assert [(row.counts, row.voter_count) for row in answers] == [
        ([1, 0], 1),
        ([1, 1], 1),
        ([0, 1], 1),
        ([0, 1], 1),
        ([0, 0], 0),
        ([0, 0], 0),
    ]
    assert await world.value("SELECT count(*) FROM poll_votes WHERE post_id = $1", post_id) == 0


async def test_polls_are_read_as_each_viewer_gets_them(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id, plain = await poll_of(world, ann), await world.post(ann)
    await cast(world, post_id, bob, [1])
    for viewer_id, is_own, choices in ((ann, True, None), (bob, False, [1])):
        (row,) = await world.read(
            lambda db, viewer_id=viewer_id: db.polls.read_polls(viewer_id=viewer_id, post_ids=[post_id, plain])  # type: ignore[misc]
        )
        assert (row.post_id, row.is_own, row.choices) == (post_id, is_own, choices)
        assert (row.poll.options, row.poll.counts, row.poll.voter_count) == (["a", "b"], [0, 1], 1)


async def test_a_poll_whose_time_is_over_is_closed_once_and_takes_no_votes(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    post_id, other = await poll_of(world, ann), await poll_of(world, ann)
    await world.execute("UPDATE posts SET poll_closes_at = now() WHERE id = $1", post_id)
    assert await cast(world, post_id, bob, [0]) is None
    assert await world.write(lambda db: db.polls.close_polls(batch_size=100)) == 1
    assert await world.write(lambda db: db.polls.close_polls(batch_size=100)) == 0
    assert await world.value("SELECT version FROM posts WHERE id = $1", post_id) == 2
    told = "SELECT array_agg(name ORDER BY name) FROM facts WHERE payload ->> 'post_id' = $1 AND name <> 'post.created'"
    assert await world.value(told, str(post_id)) == ["poll.closed", "post.changed"]
    assert await cast(world, other, bob, [0]) is not None


async def test_nothing_is_left_of_a_deleted_poll(world: World) -> None:
    ann = await world.person("ann")
    post_id = await poll_of(world, ann)
    await world.write(lambda db: db.posts.delete_post(post_id=post_id, author_id=ann))
    columns = "poll_options, poll_multiple, poll_closes_at, poll_counts, poll_voter_count"
    assert await world.value(f"SELECT num_nonnulls({columns}) FROM posts WHERE id = $1", post_id) == 0
    assert await cast(world, post_id, ann, [0]) is None

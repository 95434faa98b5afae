import asyncio
import datetime
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from sql.database import Database, UnitDatabase
from sql.graph import FollowRow, RelatedRow, RelationChangeRow, RemovedFollowRow
from sql.ids import MAX_ID, FollowId, UserId
from sql.people import RelationRow
from tests.sql.world import World

NOBODY = UserId(1)


NOT_RELATED = RelationRow(False, False, False, False, False)


async def follow(db: Database, one: UserId, other: UserId, broadcaster_from: int = 10_000) -> FollowRow | None:
    return await db.graph.set_follow(follower_id=one, followed_id=other, wanted=True, broadcaster_from=broadcaster_from)


async def unfollow(db: Database, one: UserId, other: UserId) -> FollowRow | None:
    return await db.graph.set_follow(follower_id=one, followed_id=other, wanted=False, broadcaster_from=10_000)


async def follower_count(db: UnitDatabase, user_id: UserId) -> tuple[int, bool]:
    """And whether the user is a broadcaster."""
    row = await db.connection.fetchrow("SELECT follower_count, is_broadcaster FROM users WHERE id = $1", user_id)
    assert row is not None
    return row[0], row[1]


async def miscounted(world: World) -> list[UserId]:
    """People whose counters are not what the rows say."""
    found: list[UserId] = await world.value(
        """
        SELECT coalesce(array_agg(u.id), '{}')
        FROM users u
        WHERE u.follower_count <> (SELECT count(*) FROM follows f WHERE f.followed_id = u.id)
           OR u.following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id)
        """
    )
    return found


async def test_following_counts_on_both_sides_and_only_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    async with world.units.write() as db:
        follows = NOT_RELATED._replace(follows=True)
        assert await unfollow(db, ann, bob) == FollowRow(False, NOT_RELATED)
        assert await follow(db, ann, bob) == FollowRow(True, NOT_RELATED)
        assert await follow(db, ann, bob) == FollowRow(False, follows)
        assert await follower_count(db, bob) == (1, False)
        assert await unfollow(db, ann, bob) == FollowRow(True, follows)
        assert await unfollow(db, ann, bob) == FollowRow(False, NOT_RELATED)
        assert await follower_count(db, bob) == (0, False)
    assert await miscounted(world) == []


async def test_a_follow_needs_two_existing_users(world: World) -> None:
    ann = await world.person("ann")
    async with world.units.write() as db:
        assert await follow(db, ann, NOBODY) is None
        assert await follow(db, NOBODY, ann) is None
        assert await unfollow(db, ann, NOBODY) is None


async def test_nobody_follows_themselves_or_across_a_block(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    await world.block(ann, bob)
    async with world.units.write() as db:
        assert await follow(db, ann, ann) == FollowRow(False, NOT_RELATED._replace(is_self=True))
        assert await follow(db, ann, bob) == FollowRow(False, NOT_RELATED._replace(blocks=True))
        assert await follow(db, bob, ann) == FollowRow(False, NOT_RELATED._replace(blocked_by=True))
    assert await miscounted(world) == []


async def test_a_block_that_comes_first_is_seen_by_a_follow_that_waited_for_it(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    async with world.units.write() as blocking:
        await blocking.people.lock_users(user_ids=[ann, bob])
        waiting = [
            asyncio.ensure_future(world.write(partial(_follow, ann, bob))),
            asyncio.ensure_future(
                world.units.single_writes.graph.set_follow(
                    follower_id=bob, followed_id=ann, wanted=True, broadcaster_from=9
                )
            ),
        ]
        while (
            await world.value(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            < 2
        ):
            await asyncio.sleep(0.005)
        await blocking.graph.insert_block(blocker_id=ann, blocked_id=bob)
    assert await asyncio.gather(*waiting) == [
        FollowRow(False, NOT_RELATED._replace(blocks=True)),
        FollowRow(False, NOT_RELATED._replace(blocked_by=True)),
    ]


async def test_repeated_follows_at_once_count_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    answers = await world.at_once([partial(_follow, ann, bob)] * 20)
    assert Counter(answer.changed for answer in answers if answer) == {True: 1, False: 19}
    assert await miscounted(world) == []


async def test_people_who_follow_each_other_at_once_do_not_deadlock(world: World) -> None:
    people = await world.people("a", "b", "c", "d")
    pairs = [(one, other) for one in people for other in people if one != other]
    acts = [partial(_follow if turn % 2 == 0 else _unfollow, one, other) for turn in range(20) for one, other in pairs]
    answers = await world.at_once(acts)
    assert None not in answers
    assert await miscounted(world) == []


@pytest.mark.parametrize("is_follow", [True, False])
async def test_both_people_are_locked_the_lower_id_first(world: World, is_follow: bool) -> None:
    low, high = sorted(await world.people("low", "high"))
    if not is_follow:
        await world.follow(high, low)
    async with world.units.write() as holder:
        await holder.people.lock_users(user_ids=[low])
        waiting = asyncio.create_task(world.write(partial(_follow if is_follow else _unfollow, high, low)))
        while not await world.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ):
            await asyncio.sleep(0.005)
        async with world.units.write() as third:  # would be refused if the waiting one had taken the higher id already
            await third.connection.execute("SET LOCAL lock_timeout = '200ms'")
            assert await third.people.lock_users(user_ids=[high]) == [high]
        assert not waiting.done()
    answer = await waiting
    assert answer is not None and answer.changed


async def test_a_user_who_reaches_the_threshold_stays_a_broadcaster(world: World) -> None:
    star, *fans = await world.people("star", "fan", "fan", "fan")
    flags = []
    async with world.units.write() as db:
        for fan in fans:
            await follow(db, fan, star, broadcaster_from=2)
            flags.append((await follower_count(db, star))[1])
        for fan in fans:
            await unfollow(db, fan, star)
        assert await follower_count(db, star) == (0, True)
    assert flags == [False, True, True]
    assert await world.value("SELECT bool_or(is_broadcaster) FROM users WHERE id = ANY($1)", fans) is False


async def test_severing_removes_both_directions_and_counts_them_off(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    for one, other in ((ann, bob), (bob, ann), (ann, cat), (cat, bob)):
        await world.follow(one, other)
    severed = await world.write(lambda db: db.graph.remove_follows(user_id=ann, other_id=bob))
    assert set(severed) == {RemovedFollowRow(ann, bob), RemovedFollowRow(bob, ann)}
    assert await world.value("SELECT count(*) FROM follows WHERE follower_id = ANY($1)", [ann, bob, cat]) == 2
    assert await miscounted(world) == []


async def test_a_block_that_races_with_follows_leaves_no_follow(world: World) -> None:
    for _ in range(15):
        ann, bob = await world.people("ann", "bob")

        async def block(db: Database, ann: UserId = ann, bob: UserId = bob) -> bool:
            await db.people.lock_users(user_ids=[ann, bob])
            await db.graph.insert_block(blocker_id=ann, blocked_id=bob)
            await db.graph.remove_follows(user_id=ann, other_id=bob)
            return True

        async def befriend(db: Database, one: UserId, other: UserId) -> bool:
            await db.people.lock_users(user_ids=[one, other])
            page = await db.people.read_person(viewer_id=one, user_id=other)
            assert page is not None
            if page.viewer.blocks or page.viewer.blocked_by:
                return False
            await follow(db, one, other)
            return True

        acts: list[Callable[[Database], Awaitable[bool]]] = [
            partial(befriend, one=ann, other=bob),
            block,
            *[partial(befriend, one=bob, other=ann)] * 4,
        ]
        await world.at_once(acts)
        assert await world.value("SELECT count(*) FROM follows WHERE follower_id = ANY($1)", [ann, bob]) == 0
    assert await miscounted(world) == []


async def test_a_block_is_made_and_taken_back_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")

    async def blocks(db: Database) -> tuple[bool, bool]:
        """As the two see it: the blocker, the blocked."""
        of_ann = await db.people.read_person(viewer_id=ann, user_id=bob)
        of_bob = await db.people.read_person(viewer_id=bob, user_id=ann)
        assert of_ann is not None and of_bob is not None
        return of_ann.viewer.blocks, of_bob.viewer.blocked_by

    async with world.units.write() as db:
        assert await db.graph.insert_block(blocker_id=ann, blocked_id=bob) is True
        assert await db.graph.insert_block(blocker_id=ann, blocked_id=bob) is None
        assert await blocks(db) == (True, True)
        assert await db.graph.delete_block(blocker_id=bob, blocked_id=ann) is None
        assert await db.graph.delete_block(blocker_id=ann, blocked_id=bob) is True
        assert await db.graph.delete_block(blocker_id=ann, blocked_id=bob) is None
        assert await blocks(db) == (False, False)


async def test_followers_and_following_are_paged_latest_first_without_the_blocked(world: World) -> None:
    star, *fans = await world.people("star", "a", "b", "c", "d")
    for fan in fans:
        await world.follow(fan, star)
        await world.follow(star, fan)
    viewer = fans[0]
    await world.block(fans[2], viewer)
    for is_followers in (True, False):
        found: list[UserId] = []
        before = FollowId(MAX_ID)
        async with world.units.write() as db:
            pages = db.graph.list_followers if is_followers else db.graph.list_following
            while rows := await pages(viewer_id=viewer, user_id=star, before=before, page_size=2):
                found += [row.user.id for row in rows]
                before = rows[-1].follow_id
                assert all(not row.viewer.blocked_by for row in rows)
        assert found == [fans[3], fans[1], fans[0]]


async def changes(
    world: World, viewer_id: UserId, since: int, page_size: int = 100
) -> tuple[dict[UserId, tuple[bool, bool]], bool]:
    """All pages: what the relations are now, by user; and whether it was too much."""
    found: dict[UserId, tuple[bool, bool]] = {}
    after_stamp, after_id = since - 1, UserId(MAX_ID)
    reads = world.units.reads.graph
    while rows := await reads.list_relation_changes(
        viewer_id=viewer_id, after_stamp=after_stamp, after_id=after_id, page_size=page_size
    ):
        if rows[0].is_reset:
            assert rows == [RelationChangeRow(True, None, None)]
            return {}, True
        for row in rows:
            assert row.changed is not None and row.relation is not None
            after_stamp, after_id = row.changed, row.relation.user_id
            found[after_id] = (row.relation.following, row.relation.blocked)
    return found, False


async def position(world: World) -> int:
    """Above all earlier stamps of this test, whatever transactions other tests have open."""
    stamp: int = await world.value("SELECT change_stamp()")
    return stamp


@pytest.mark.parametrize("page_size", [1, 100])
async def test_each_change_of_a_relation_is_read_as_it_is_now(world: World, page_size: int) -> None:
    ann, bob, cat, dan, eve, fay = await world.people("ann", "bob", "cat", "dan", "eve", "fay")
    for other in (bob, cat, eve, fay):
        await world.follow(ann, other)
    await world.follow(bob, ann)
    await world.block(ann, dan)
    before = await position(world)
    for person in (ann, bob, cat, dan):
        assert await changes(world, person, before) == ({}, False)
    await world.follow(ann, bob)  # as it was
    assert await changes(world, ann, before) == ({}, False)
    await world.unfollow(ann, cat)
    await world.block(bob, ann)
    await world.write(lambda db: db.graph.delete_block(blocker_id=ann, blocked_id=dan))
    await world.follow(ann, dan)
    expected = {cat: (False, False), bob: (False, False), dan: (True, False)}
    assert await changes(world, ann, before, page_size) == (expected, False)
    assert await changes(world, bob, before, page_size) == ({ann: (False, True)}, False)
    assert await changes(world, cat, before) == ({}, False)
    after = await position(world)
    assert await changes(world, ann, after) == ({}, False)


async def test_more_changes_than_relations_are_read_anew(world: World) -> None:
    ann, *others = await world.people("ann", *["other"] * 6)
    await world.follow(ann, others[0])
    before = await position(world)
    for other in others[1:4]:
        await world.follow(ann, other)
        await world.unfollow(ann, other)
    assert await changes(world, ann, before, page_size=2) == ({}, True)
    assert len((await changes(world, ann, before, page_size=3))[0]) == 3
    for other in others[4:]:
        await world.follow(ann, other)
    found, too_many = await changes(world, ann, before, page_size=2)
    assert (found, too_many) == ({}, True), "five changes, three relations"
    await world.block(ann, others[1])
    await world.block(ann, others[2])
    assert (await changes(world, ann, before, page_size=2))[1] is False, "five changes, five relations"


async def test_all_relations_are_paged_by_id(world: World) -> None:
    ann, *others = await world.people("ann", *["other"] * 5)
    for place, other in enumerate(others):
        await (world.block if place % 2 else world.follow)(ann, other)
        await world.follow(other, ann)
    found: list[RelatedRow] = []
    after = UserId(0)
    async with world.units.write() as db:
        while rows := await db.graph.list_relations(viewer_id=ann, after=after, page_size=2):
            assert len(rows) <= 2
            found += rows
            after = rows[-1].user_id
    assert found == [
        RelatedRow(other, place % 2 == 0, place % 2 == 1, False, None, False) for place, other in enumerate(others)
    ]


async def test_whose_feed_changes_is_stamped(world: World) -> None:
    ann, bob = await world.people("ann", "bob")

    async def stamped_by(act: Awaitable[object]) -> set[UserId]:
        before = await position(world)
        await act
        return set(await world.value(
            "SELECT coalesce(array_agg(id), '{}') FROM users WHERE audience_changed >= $1", before
        ))  # fmt: skip

    async def unblock() -> None:
        await world.write(lambda db: db.graph.delete_block(blocker_id=ann, blocked_id=bob))

    assert await stamped_by(world.follow(ann, bob)) == {ann}
    assert await stamped_by(world.follow(ann, bob)) == set()
    assert await stamped_by(world.unfollow(ann, bob)) == {ann}
    assert await stamped_by(world.block(ann, bob)) == {ann, bob}
    assert await stamped_by(world.block(ann, bob)) == set()
    assert await stamped_by(unblock()) == {ann, bob}
    assert await stamped_by(unblock()) == set()


async def test_old_changes_of_relations_are_forgotten_and_others_kept(world: World) -> None:
    ann, *others = await world.people("ann", *["other"] * 4)
    for other in others:
        await world.follow(ann, other)
    now = datetime.datetime.now(datetime.UTC)
    await world.execute(
        "UPDATE relation_changes SET changed_at = $1 WHERE other_id = ANY($2)", now - datetime.timedelta(2), others[:3]
    )

    async def forget() -> int:
        return await world.write(
            lambda db: db.graph.delete_old_relation_changes(changed_before=now - datetime.timedelta(1), batch_size=2)
        )

    assert [await forget() for _ in range(3)] == [2, 1, 0]
    assert (await changes(world, ann, 0))[0] == {others[3]: (True, False)}


async def _follow(one: UserId, other: UserId, db: Database) -> FollowRow | None:
    return await follow(db, one, other)


async def _unfollow(one: UserId, other: UserId, db: Database) -> FollowRow | None:
    return await unfollow(db, one, other)

import asyncio
import datetime

from sql.ids import UserId
from sql.people import RelationRow, UserRow
from tests.sql.world import World

NOBODY = UserId(1)


async def relation_of(world: World, viewer_id: UserId, user_id: UserId) -> RelationRow:
    page = await world.read(lambda db: db.people.read_person(viewer_id=viewer_id, user_id=user_id))
    assert page is not None
    return page.viewer


async def test_a_person_is_read_by_id_and_by_name_without_regard_to_case(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    async with world.units.write() as db:
        page = await db.people.read_person(viewer_id=ann, user_id=bob)
        assert page is not None
        by_name = await db.people.read_person_by_username(viewer_id=ann, username_folded=page.user.username)
        assert by_name == page
        assert page.user == UserRow(bob, 1, page.user.username, "Bob", "", 0, 0, 0, False)
        assert page.profile == {}
        assert await db.people.read_person(viewer_id=ann, user_id=NOBODY) is None
        assert await db.people.read_person_by_username(viewer_id=ann, username_folded="nobody") is None


async def test_the_relation_names_each_direction(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    await world.follow(ann, bob)
    assert await relation_of(world, ann, ann) == RelationRow(True, False, False, False, False)
    assert await relation_of(world, ann, bob) == RelationRow(False, True, False, False, False)
    assert await relation_of(world, bob, ann) == RelationRow(False, False, True, False, False)
    await world.block(ann, cat)
    assert await relation_of(world, ann, cat) == RelationRow(False, False, False, True, False)
    assert await relation_of(world, cat, ann) == RelationRow(False, False, False, False, True)


async def test_an_update_changes_what_was_given_and_nothing_else(world: World) -> None:
    ann = await world.person("ann")
    async with world.units.write() as db:
        first = await db.people.update_profile(
            user_id=ann, display_name="Ann A", bio=None, profile={"city": "Ulm"}, settings=None
        )
        assert first is not None
        assert first.is_changed
        own = first.own
        assert (own.user.display_name, own.user.bio, own.profile, own.settings) == ("Ann A", "", {"city": "Ulm"}, {})
        second = await db.people.update_profile(
            user_id=ann, display_name=None, bio="x", profile=None, settings={"theme": "dark", "n": 2**60}
        )
        assert second is not None
        own = second.own
        assert (own.user.display_name, own.user.bio, own.profile) == ("Ann A", "x", {"city": "Ulm"})
        assert own.settings == {"theme": "dark", "n": 2**60}
        assert await db.people.read_own_profile(user_id=ann) == own
        assert (own.phone, own.role) == (None, "user")
        assert own.email == f"{own.user.username}@example.org"
        same = await db.people.update_profile(
            user_id=ann, display_name="Ann A", bio="x", profile={"city": "Ulm"}, settings={"n": 2**60, "theme": "dark"}
        )
        assert same is not None
        assert not same.is_changed
        missing = await db.people.update_profile(
            user_id=NOBODY, display_name="x", bio=None, profile=None, settings=None
        )
        assert missing is None


async def test_locked_people_come_in_id_order_and_only_if_they_exist(world: World) -> None:
    people = await world.people("c", "b", "a")
    locked = await world.write(lambda db: db.people.lock_users(user_ids=[*reversed(people), NOBODY]))
    assert locked == sorted(people)


async def test_activity_is_noted_at_most_once_a_minute(world: World) -> None:
    ann = await world.person("ann")

    async def seen() -> object:
        await world.write(lambda db: db.people.mark_active(user_ids=[ann]))
        return await world.value("SELECT last_active_at FROM users WHERE id = $1", ann)

    first = await seen()
    assert await seen() == first
    await world.execute("UPDATE users SET last_active_at = now() - interval '2 minutes' WHERE id = $1", ann)
    assert await world.value("SELECT last_active_at < now() - interval '1 minute' FROM users WHERE id = $1", ann)
    await seen()
    assert not await world.value("SELECT last_active_at < now() - interval '1 minute' FROM users WHERE id = $1", ann)


async def test_last_seen_times_are_read_without_pairs_with_a_block(world: World) -> None:
    ann, bob, cat, dan = await world.people("ann", "bob", "cat", "dan")
    await world.block(ann, cat)
    await world.block(dan, ann)
    rows = await world.read(
        lambda db: db.people.list_last_seen(
            viewer_ids=[ann, ann, ann, ann, ann, bob], user_ids=[ann, bob, cat, dan, NOBODY, cat]
        )
    )
    assert {(row.viewer_id, row.user_id) for row in rows} == {(ann, ann), (ann, bob), (bob, cat)}


async def test_last_seen_moves_forward_only(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    times = {ann: later, bob: later - datetime.timedelta(days=1)}
    for seen_at in (times, {ann: later - datetime.timedelta(minutes=1), NOBODY: later}):
        async with world.units.write() as db:
            await db.people.note_last_seen(user_ids=list(seen_at), seen_at=list(seen_at.values()))
    rows = await world.read(lambda db: db.people.list_last_seen(viewer_ids=[ann, ann], user_ids=[ann, bob]))
    seen = {row.user_id: row.last_active_at for row in rows}
    assert seen[ann] == later
    assert seen[bob] > times[bob]


async def test_a_profile_has_what_two_changes_at_once_set(world: World) -> None:
    ann = await world.person("ann")
    async with world.units.write() as unit:
        await unit.people.update_profile(user_id=ann, display_name="Ann", bio="first", profile=None, settings=None)
        second = asyncio.create_task(
            world.write(
                lambda db: db.people.update_profile(
                    user_id=ann, display_name=None, bio="second", profile=None, settings={"theme": "dark"}
                )
            )
        )
        await world.until_one_waits_for(unit)
    row = await second
    assert row is not None and row.is_changed
    own = await world.read(lambda db: db.people.read_own_profile(user_id=ann))
    assert own is not None
    user = own.user
    assert (user.display_name, user.bio, own.settings, user.version) == ("Ann", "second", {"theme": "dark"}, 3)

"""The position of a pull, while transactions are open."""

from tests.sql.world import World


async def test_a_position_lies_below_every_change_that_is_not_committed_yet(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    async with world.units.write() as db:
        await db.people.update_profile(user_id=ann, display_name="Ann A", bio=None, profile=None, settings=None)
        before = await world.units.reads.sync.peek(viewer_id=ann, after=0)
        assert before is not None
        # A change that was committed later, and has a higher stamp, is at or above it as well.
        await world.write(
            lambda other: other.people.update_profile(
                user_id=bob, display_name="Bob B", bio=None, profile=None, settings=None
            )
        )
    for person in (ann, bob):
        after = await world.units.reads.sync.peek(viewer_id=person, after=before.position)
        assert after is not None
        assert after.me


async def test_nobody_has_no_position(world: World) -> None:
    assert await world.units.reads.sync.peek(viewer_id=await world.value("SELECT 1::bigint"), after=0) is None

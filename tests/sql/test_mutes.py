"""Mutes are stored once, and stamp what clients of the muter read anew."""

from __future__ import annotations

import datetime

from sql.ids import UserId
from tests.sql.world import World

LATER = datetime.datetime(2100, 1, 1, tzinfo=datetime.UTC)
LONG_AGO = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


async def test_a_mute_that_is_there_already_changes_nothing(world: World) -> None:
    ann, bob = await world.people("ann", "bob")

    async def mute(until: datetime.datetime | None) -> bool:
        done = await world.write(lambda db: db.graph.set_mute(muter_id=ann, muted_id=bob, muted_until=until))
        return done.changed

    async def unmute(muter_id: UserId) -> bool | None:
        return await world.write(lambda db: db.graph.delete_mute(muter_id=muter_id, muted_id=bob))

    assert [await mute(until) for until in (None, None, LATER, LATER, None)] == [True, False, True, False, True]
    person = await world.read(lambda db: db.people.read_person(viewer_id=ann, user_id=bob))
    assert person is not None and person.viewer.mutes
    assert await world.value("SELECT array_agg(id) FROM users WHERE audience_changed > 0") == [ann]
    assert await world.value("SELECT array_agg(other_id) FROM relation_changes WHERE user_id = $1", ann) == [bob]
    assert [await unmute(ann), await unmute(ann)] == [True, None]


async def test_a_mute_counts_until_its_end(world: World) -> None:
    ann, bob = await world.people("ann", "bob")

    async def mute(until: datetime.datetime) -> None:
        await world.write(lambda db: db.graph.set_mute(muter_id=ann, muted_id=bob, muted_until=until))

    for until, counts in ((LATER, True), (LONG_AGO, False)):
        await mute(until)
        related = await world.read(lambda db: db.graph.read_related(viewer_id=ann, other_id=bob))
        assert (related.muted, related.muted_until) == (counts, until if counts else None)
    assert await world.write(lambda db: db.graph.end_mutes(batch_size=5)) == 1
    assert await world.write(lambda db: db.graph.end_mutes(batch_size=5)) == 0

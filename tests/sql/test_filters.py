import datetime

from sql.feed import WordFilterRow
from sql.ids import UserId
from tests.sql.world import World


async def hide(world: World, user_id: UserId, phrase: str, ends_at: datetime.datetime | None = None) -> int | None:
    row = await world.write(
        lambda db: db.filters.set_filter(user_id=user_id, phrase=phrase, ends_at=ends_at, max_count=2)
    )
    return None if row is None else row.changed


async def filters(world: World, user_id: UserId) -> list[WordFilterRow]:
    return await world.read(lambda db: db.filters.list_filters(user_id=user_id))


async def test_a_change_moves_the_audience_stamp_of_its_owner_only(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    changed = await hide(world, ann, "cat")
    stamps = "SELECT array_agg(audience_changed ORDER BY id) FROM users"
    assert changed and await world.value(stamps) == [changed, 0]
    assert await hide(world, ann, "cat") == changed, "it is so already"
    assert await world.value(stamps) == [changed, 0]
    removed = await world.write(lambda db: db.filters.remove_filter(user_id=ann, phrase="CAT"))
    assert removed is not None and removed.changed > changed
    assert await world.write(lambda db: db.filters.remove_filter(user_id=ann, phrase="cat")) is None
    assert await world.value(stamps) == [removed.changed, 0]
    assert await filters(world, bob) == []


async def test_a_filter_beyond_the_most_is_not_set_and_one_of_the_same_words_is_changed(world: World) -> None:
    (ann,) = await world.people("ann")
    for phrase in ("cat", "dog"):
        assert await hide(world, ann, phrase) is not None
    assert await hide(world, ann, "bird") is None
    assert await hide(world, ann, "CAT") is not None
    assert [row.phrase for row in await filters(world, ann)] == ["CAT", "dog"]


async def test_filters_whose_end_has_come_hide_nothing_and_are_ended_once_with_a_fact(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    post = await world.post(bob, text="A cat")
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    await hide(world, ann, "cat", past)
    before = await hide(world, ann, "dog")
    assert [row.phrase for row in await filters(world, ann)] == ["dog"]

    async def readers() -> tuple[list[UserId], list[UserId]]:
        row = await world.read(lambda db: db.filters.filtered_readers(post_id=post, user_ids=[ann, bob]))
        return row.hidden_from, row.shown_to

    assert await readers() == ([], [ann])
    counts = [await world.write(lambda db: db.filters.end_filters(batch_size=10)) for _ in range(2)]
    assert counts == [1, 0]
    assert await world.value("SELECT audience_changed > $2 FROM users WHERE id = $1", ann, before)
    assert await world.value("SELECT payload->>'user_id' FROM facts WHERE name = 'filter.ended'") == str(ann)
    await hide(world, ann, "CAT")
    assert await readers() == ([ann], [])

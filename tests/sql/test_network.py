import datetime

import pytest

from sql.errors import ForeignKeyMissing
from sql.execution.bulk import LikeRecord, PersonRecord, PostRecord, copy_records
from sql.ids import PostId, UserId
from tests.sql.world import World

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
FOREIGN_KEYS = (
    "SELECT array_agg(conrelid::regclass::text || ' ' || conname || ' ' || pg_get_constraintdef(oid))"
    " FROM (SELECT DISTINCT ON (conrelid, conname) * FROM pg_constraint WHERE contype = 'f') AS key"
)


async def test_an_empty_database_has_no_users(world: World) -> None:
    assert await world.read(lambda db: db.network.has_people()) is False
    await world.person()
    assert await world.read(lambda db: db.network.has_people()) is True


async def test_foreign_keys_that_were_postponed_are_as_before_and_hold_for_what_was_copied(world: World) -> None:
    name = "copied101"
    person = PersonRecord(UserId(101), name, name, f"{name}@example.org", f"{name}@example.org", "h", "", "", NOW, NOW)
    before = sorted(await world.value(FOREIGN_KEYS))
    for author_id in (999, 101):
        try:
            async with world.units.write() as db:
                statements = await db.network.postpone_foreign_keys()
                assert len(statements) > 5
                await copy_records(db, LikeRecord, [LikeRecord(201, 101)])
                await copy_records(db, PostRecord, [PostRecord(PostId(201), author_id, "text", "hello", None, 1)])
                await copy_records(db, PersonRecord, [person])
                await db.network.restore_foreign_keys(statements=statements)
                await db.network.analyze_tables()
        except ForeignKeyMissing:
            assert author_id == 999
            assert await world.value("SELECT count(*) FROM posts WHERE id = 201") == 0
        assert sorted(await world.value(FOREIGN_KEYS)) == before
    assert await world.value("SELECT like_count FROM posts WHERE id = 201") == 1
    with pytest.raises(ForeignKeyMissing):
        async with world.units.write() as db:
            await copy_records(db, LikeRecord, [LikeRecord(201, 998)])

import datetime
from typing import get_args

import pytest

from sql.errors import BadText, ForeignKeyMissing, UniqueViolated
from sql.execution.bulk import STAMPS, TABLES, FollowRecord, PersonRecord, Record, copy_records
from tests.sql.world import World

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def person(number: int, bio: str = "") -> PersonRecord:
    return PersonRecord(
        number,
        f"bulk{number}",
        f"bulk{number}",
        f"bulk{number}@example.org",
        f"bulk{number}@example.org",
        "h",
        "",
        bio,
        NOW,
        NOW,
    )


async def test_every_kind_names_columns_of_its_table(world: World) -> None:
    assert set(TABLES) == set(get_args(Record))
    for kind, table in TABLES.items():
        columns = await world.value(
            "SELECT array_agg(column_name::text) FROM information_schema.columns WHERE table_name = $1", table
        )
        assert set(kind._fields) <= set(columns), table


async def test_records_are_stored_with_the_tables_defaults(world: World) -> None:
    await world.write(lambda db: copy_records(db, PersonRecord, map(person, range(1, 1001))))
    assert await world.value("SELECT count(*) FROM users WHERE created_at = $1", NOW) == 1000
    assert await world.value("SELECT settings = '{}' AND role = 'user' FROM users WHERE id = 1")


async def test_records_have_the_stamp_of_their_transaction(world: World) -> None:
    await world.write(lambda db: copy_records(db, PersonRecord, map(person, range(2001, 2011))))
    stamps = await world.rows(
        "SELECT DISTINCT changed = (SELECT epoch << 48 FROM epochs) + xmin::text::bigint FROM users"
        " WHERE id BETWEEN 2001 AND 2010"
    )
    assert [is_of_it for (is_of_it,) in stamps] == [True]


async def test_every_stamp_of_a_copied_table_is_known(world: World) -> None:
    for kind, table in TABLES.items():
        columns = await world.value(
            "SELECT array_agg(column_name::text) FROM information_schema.columns"
            " WHERE table_name = $1 AND column_default = 'change_stamp()'",
            table,
        )
        assert set(STAMPS.get(kind, ())) == set(columns or ()), table


async def test_one_bad_record_stores_none(world: World) -> None:
    for kind, records, error in (
        (PersonRecord, [person(5001), person(5001)], UniqueViolated),
        (PersonRecord, [person(5001), person(5002, bio="\x00")], BadText),
        (FollowRecord, [FollowRecord(5001, 5002)], ForeignKeyMissing),
    ):
        with pytest.raises(error):
            async with world.units.write() as db:
                await copy_records(db, kind, records)
    assert await world.value("SELECT count(*) FROM users WHERE id > 5000") == 0

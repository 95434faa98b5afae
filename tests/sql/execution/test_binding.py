from typing import NamedTuple, Protocol

import pytest

from sql.execution.binding import bind_queries, column_names, columns_of, item_type, read_queries
from sql.people import RelationRow, UserRow
from tests.sql.world import World


class Inner(NamedTuple):
    id: int
    name: str


class Outer(NamedTuple):
    key: int
    first: Inner
    second: Inner | None
    tail: str


def test_a_row_within_a_row_takes_a_column_for_each_of_its_fields() -> None:
    assert [path for path, _ in columns_of(Outer)] == [
        ("key",),
        ("first", "id"),
        ("first", "name"),
        ("second", "id"),
        ("second", "name"),
        ("tail",),
    ]


def test_a_column_is_named_by_the_path_of_its_field_or_by_the_end_of_it() -> None:
    assert column_names(("key",)) == {"key"}
    assert column_names(("message", "sender", "id")) == {"message_sender_id", "sender_id", "id"}


def test_wrappings_are_taken_off() -> None:
    assert [item_type(kind) for kind in (int, int | None, list[Inner], list[Inner | None])] == [int, int, Inner, Inner]


def test_parameters_are_in_the_order_of_their_numbers() -> None:
    query = read_queries("graph")["insert_block"]
    assert query.parameters == ("blocker_id", "blocked_id")
    assert "$1" in query.sql and "$2" in query.sql and ":" not in query.sql


def test_a_protocol_that_does_not_fit_its_file_is_refused() -> None:
    class Wrong(Protocol):
        async def has_ledger(self) -> bool: ...

        async def unheard_of(self) -> bool: ...

    with pytest.raises(LookupError, match="create_ledger.*unheard_of"):
        bind_queries(Wrong, "ledger")


async def test_arguments_are_bound_by_name_not_by_place(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    async with world.units.write() as db:
        await db.graph.insert_block(blocked_id=bob, blocker_id=ann)
    assert await world.value("SELECT count(*) FROM blocks WHERE blocker_id = $1 AND blocked_id = $2", ann, bob) == 1


def test_cards_and_relations_have_no_column_name_in_common() -> None:
    assert not set(UserRow._fields) & set(RelationRow._fields)

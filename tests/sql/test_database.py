"""Every query against its typed description, on the migrated schema: the only guard, since queries are text."""

import datetime
import re
from collections.abc import AsyncIterator
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import asyncpg
import pytest
import pytest_asyncio
from aiosql.types import SQLOperationType

from sql.database import Database, aggregates, load_queries
from sql.execution.array_parameters import array_parameters
from sql.execution.binding import (
    Query,
    column_names,
    columns_of,
    is_row,
    item_type,
    methods_of,
    read_queries,
    returned_type,
)
from sql.execution.joining import joining_of
from sql.ids import UserId
from sql.ledger import LedgerQueries

TYPES: dict[str, type] = {
    "int2": int,
    "int4": int,
    "int8": int,
    "text": str,
    "bool": bool,
    "float8": float,
    "bytea": bytes,
    "timestamptz": datetime.datetime,
    "jsonb": dict,
}

AGGREGATES = aggregates() | {"ledger": LedgerQueries}

CASES = [
    pytest.param(query, methods_of(protocol)[name], id=f"{aggregate}.{name}")
    for aggregate, protocol in AGGREGATES.items()
    for name, query in read_queries(aggregate).items()
    if name in methods_of(protocol)
]


@pytest_asyncio.fixture
async def connection(database_url: str) -> AsyncIterator[Any]:
    opened = await asyncpg.connect(database_url)
    yield opened
    await opened.close()


def plain(annotation: Any) -> Any:
    """A type without Optional, NewType and the arguments of a generic; `list[X]` becomes `[X]`."""
    annotation = getattr(annotation, "__supertype__", annotation)
    origin = get_origin(annotation)
    if origin is list:
        return [plain(get_args(annotation)[0])]
    if NoneType in get_args(annotation):
        return plain(item_type(annotation))
    return origin or annotation


def of_database(kind: Any) -> Any:
    if kind.kind == "array":
        return [TYPES[kind.name.removesuffix("[]").removeprefix("_")]]
    return TYPES[kind.name]


def test_every_query_has_a_method_and_every_method_a_query() -> None:
    assert load_queries().bindings.keys() == aggregates().keys()
    for aggregate, protocol in AGGREGATES.items():
        assert read_queries(aggregate).keys() == methods_of(protocol).keys(), aggregate


async def test_an_aggregate_is_made_at_its_first_use_and_kept(connection: Any) -> None:
    db = Database(load_queries(), connection)
    assert db.people is db.people
    assert await db.people.read_own_profile(user_id=UserId(1)) is None
    with pytest.raises(AttributeError, match="weather"):
        getattr(db, "weather")  # noqa: B009


@pytest.mark.parametrize(("query", "method"), CASES)
async def test_parameters_are_as_the_method_says(connection: Any, query: Query, method: Any) -> None:
    statement = await connection.prepare(query.sql)
    hints = get_type_hints(method)
    declared = {name: plain(hint) for name, hint in hints.items() if name != "return"}
    if (joining := joining_of(method)) is not None:
        declared = {
            name: [declared[array.argument]] if array.make is list else declared.get(name, [int])
            for name, array in array_parameters(method).items()
        }
        if joining.key is not None:
            declared["patient"] = bool
    actual = [of_database(kind) for kind in statement.get_parameters()]
    assert declared == dict(zip(query.parameters, actual, strict=True))


@pytest.mark.parametrize(("query", "method"), CASES)
async def test_columns_are_as_the_method_says(connection: Any, query: Query, method: Any) -> None:
    statement = await connection.prepare(query.sql)
    annotation = returned_type(method)
    actual = [(column.name, of_database(column.type)) for column in statement.get_attributes()]
    if (joining := joining_of(method)) is not None:
        assert actual.pop(0) == ("place", int)
        assert joining.key is None or actual.pop(0) == ("skipped", bool)
    if query.operation == SQLOperationType.INSERT_UPDATE_DELETE:
        assert annotation is NoneType
        assert actual == []
    elif is_row(item_type(annotation)):
        declared = list(columns_of(item_type(annotation)))
        assert [kind for _, kind in actual] == [plain(kind) for _, kind in declared]
        assert all(name in column_names(path) for (name, _), (path, _) in zip(actual, declared, strict=True))
    else:
        assert [kind for _, kind in actual] == [plain(item_type(annotation))]


@pytest.mark.parametrize(("query", "method"), CASES)
def test_many_rows_come_as_a_list_and_one_row_does_not(query: Query, method: Any) -> None:
    is_list = joining_of(method) is not None or get_origin(returned_type(method)) is list
    assert is_list == (query.operation == SQLOperationType.SELECT)


@pytest.mark.parametrize(("query", "method"), CASES)
async def test_the_comment_says_how_many_rows_and_names_indexes_that_exist(
    connection: Any, query: Query, method: Any
) -> None:
    assert query.operation == SQLOperationType.INSERT_UPDATE_DELETE or re.search(r"\b(row|rows)\b", query.comment)
    for index in re.findall(r"\w+_(?:pkey|key|idx)\b", query.comment):
        assert await connection.fetchval("SELECT to_regclass($1)", index) is not None, index

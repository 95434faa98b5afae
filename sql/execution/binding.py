"""Binds the named queries of a `.sql` file to the typed Protocol that describes them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

import aiosql
from aiosql.types import SQLOperationType

from sql.errors import DRIVER_ERRORS, raise_translated
from sql.execution.array_parameters import ArrayParameter, array_parameters
from sql.execution.joined_query import CALLS_MAX, JoinedQuery, Values
from sql.execution.joining import Joining, joining_of
from sql.execution.statements import Statements
from sql.pool import SqlConnection

Executor = SqlConnection | Statements
"""What runs a query: the connection of a unit of work, or any connection of a pool."""
RowReader = Callable[[Any], Any]
"""Makes a row or a value from an asyncpg Record, or from a slice of one."""

_QUERIES: Final = Path(__file__).parents[1] / "queries"
_ONE_ROW: Final = SQLOperationType.SELECT_ONE
_ONE_VALUE: Final = SQLOperationType.SELECT_VALUE
_NO_ROW: Final = SQLOperationType.INSERT_UPDATE_DELETE


class Query(NamedTuple):
    """A named query of a file."""

    name: str
    sql: str
    """The text with `$1`, `$2`, ... in the order of `parameters`."""
    parameters: tuple[str, ...]
    operation: SQLOperationType
    comment: str


def read_queries(aggregate: str) -> dict[str, Query]:
    """The queries of `queries/<aggregate>.sql` by name."""
    loaded = aiosql.from_path(_QUERIES / f"{aggregate}.sql", "asyncpg")
    queries = {}
    for name in loaded.available_queries:
        if name.removesuffix("_cursor") in queries:  # aiosql makes a second form of each query that answers rows
            continue
        function = getattr(loaded, name)
        # aiosql numbers parameters by first appearance, which is the order of the signature too.
        parameters = tuple(parameter for parameter in function.__signature__.parameters if parameter != "self")
        queries[name] = Query(name, function.sql, parameters, function.operation, function.__doc__ or "")
    return queries


def bind_queries(protocol: type, aggregate: str) -> Callable[[Executor], Any]:
    """A class with one method per query of the file, made from what runs them.

    Rows come as the NamedTuples that the protocol names. Raises LookupError when protocol and file do not name the
    same queries.
    """
    queries = read_queries(aggregate)
    methods = methods_of(protocol)
    if odd := queries.keys() ^ methods.keys():
        raise LookupError(f"{protocol.__name__} and queries/{aggregate}.sql differ in: {', '.join(sorted(odd))}")
    bound = {name: _method(query, methods[name]) for name, query in queries.items()}
    return type(f"Bound{protocol.__name__}", (_Bound,), {"__slots__": (), **bound})


class _Bound:
    """The queries of one aggregate on one connection, or on any of a pool."""

    __slots__ = ("executor",)

    def __init__(self, executor: Executor) -> None:
        self.executor = executor


def methods_of(protocol: type) -> dict[str, Callable[..., Any]]:
    """The methods that a Protocol declares, by name."""
    return {name: value for name, value in vars(protocol).items() if callable(value) and not name.startswith("_")}


def returned_type(method: Callable[..., Any]) -> Any:
    """The return type of a query method: a row type or a scalar, or `list[...]` or `... | None` of it."""
    return get_type_hints(method)["return"]


def item_type(annotation: Any) -> Any:
    """The type of one row or value: X for `list[X]` and `X | None`."""
    if get_origin(annotation) is list:
        return item_type(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return next(part for part in get_args(annotation) if part is not NoneType)
    return annotation


def is_row(annotation: Any) -> bool:
    """Whether a type is a NamedTuple."""
    return isinstance(annotation, type) and issubclass(annotation, tuple) and hasattr(annotation, "_fields")


def columns_of(row: type, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The columns that fill a row type, in order: the path of fields to each, and its type.

    A field that is a NamedTuple itself takes one column for each of its own fields.
    """
    for name, annotation in get_type_hints(row).items():
        inner = item_type(annotation)
        if is_row(inner):
            yield from columns_of(inner, (*path, name))
        else:
            yield (*path, name), annotation


def column_names(path: tuple[str, ...]) -> set[str]:
    """How a query may name the column of a field: by its whole path, or by the end of it (`author_id`, `id`)."""
    return {"_".join(path[start:]) for start in range(len(path))}


def _method(query: Query, declared: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    joining = joining_of(declared)
    if joining is not None:
        return _joined_method(query, joining, declared)
    sql, annotation = query.sql, returned_type(declared)
    arguments_in_order = _picker(query.parameters)

    if query.operation == _NO_ROW:

        async def run(self: _Bound, **arguments: Any) -> None:
            try:
                await self.executor.execute(sql, *arguments_in_order(arguments))
            except DRIVER_ERRORS as error:
                raise_translated(error)

        return run

    if query.operation == _ONE_VALUE:

        async def fetch_value(self: _Bound, **arguments: Any) -> Any:
            try:
                return await self.executor.fetchval(sql, *arguments_in_order(arguments))
            except DRIVER_ERRORS as error:
                raise_translated(error)

        return fetch_value

    read = _reader(item_type(annotation))
    if query.operation == _ONE_ROW:

        async def fetch_row(self: _Bound, **arguments: Any) -> Any:
            try:
                record = await self.executor.fetchrow(sql, *arguments_in_order(arguments))
            except DRIVER_ERRORS as error:
                raise_translated(error)
            return None if record is None else read(record)

        return fetch_row

    async def fetch_rows(self: _Bound, **arguments: Any) -> list[Any]:
        try:
            records = await self.executor.fetch(sql, *arguments_in_order(arguments))
        except DRIVER_ERRORS as error:
            raise_translated(error)
        return [read(record) for record in records]

    return fetch_rows


def _joined_method(query: Query, joining: Joining, declared: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    parameters, writes, annotation = query.parameters, joining.key is not None, returned_type(declared)
    if writes != (parameters[-1] == "patient"):
        raise LookupError(
            f"{query.name}: `patient` is the last parameter of a joined query that writes, and of no other"
        )
    known = array_parameters(declared)
    arrays = [known[parameter] for parameter in (parameters[:-1] if writes else parameters)]
    names = tuple(dict.fromkeys(array.argument for array in arrays))
    joined_query = JoinedQuery(
        query.sql,
        _reader_from(2 if writes else 1, item_type(annotation)),
        get_origin(annotation) is list,
        itemgetter(*map(names.index, joining.key)) if joining.key is not None else None,
        _array_maker(names, arrays),
        joining.several,
        joining.calls_max or CALLS_MAX,
    )
    arguments_in_order = _picker(names)

    def call(self: _Bound, **arguments: Any) -> Awaitable[Any]:
        executor, values = self.executor, arguments_in_order(arguments)
        if isinstance(executor, Statements):
            return executor.join(joined_query, values)
        return _call_alone(executor, joined_query, values)

    return call


def _array_maker(names: Sequence[str], arrays: Sequence[ArrayParameter]) -> Callable[[Sequence[Values]], list[Any]]:
    places = [(names.index(array.argument), array.make) for array in arrays]

    def make(calls: Sequence[Values]) -> list[Any]:
        columns = list(zip(*calls, strict=True))
        return [make_array(columns[place]) for place, make_array in places]

    return make


async def _call_alone(connection: SqlConnection, query: JoinedQuery, values: Values) -> Any:
    try:
        rows = await connection.fetch(query.sql, *query.arguments([values]))
    except DRIVER_ERRORS as error:
        raise_translated(error)
    return query.results(rows, 1)[0]


def _picker(names: tuple[str, ...]) -> Callable[[dict[str, Any]], Values]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda arguments: [arguments[name] for name in names]


def _reader(annotation: Any) -> RowReader:
    if not is_row(annotation):
        return itemgetter(0)
    fields = [item_type(field) for field in get_type_hints(annotation).values()]
    if not any(is_row(field) for field in fields):
        return cast("RowReader", annotation._make)
    return _nested_reader(annotation)


def _reader_from(first_column: int, annotation: Any) -> RowReader:
    """For the rows of a joined query, whose first columns are about the call."""
    if not is_row(annotation):
        return itemgetter(first_column)
    if any(is_row(item_type(field)) for field in get_type_hints(annotation).values()):
        return _nested_reader(annotation, first_column)
    make = partial(tuple.__new__, annotation)  # what _make does, without counting the columns of each row
    return lambda record: make(record[first_column:])


def _nested_reader(row: Any, first_column: int = 0) -> RowReader:
    parts: list[RowReader] = []
    column = first_column
    for annotation in get_type_hints(row).values():
        inner = item_type(annotation)
        if is_row(inner):
            width = sum(1 for _ in columns_of(inner))
            parts.append(_slice_reader(inner, slice(column, column + width), optional=inner is not annotation))
            column += width
        else:
            parts.append(itemgetter(column))
            column += 1
    return lambda record: row._make([part(record) for part in parts])


def _slice_reader(row: Any, columns: slice, *, optional: bool) -> RowReader:
    read = _reader(row)
    if not optional:
        return lambda record: read(record[columns])
    # An outer join without a match leaves every column NULL; the first column is a key.
    return lambda record: None if record[columns.start] is None else read(record[columns])

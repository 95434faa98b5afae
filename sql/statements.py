"""Statements outside of units of work: each has a connection for as long as it runs, and commits by itself.

Calls of one query that come in the same turn of the loop are joined to one statement.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from sql.errors import DRIVER_ERRORS, DatabaseError, Retry, Unavailable, raise_translated
from sql.pool import Pool, SqlConnection

CALLS_MAX: Final = 256
"""Calls joined in one statement."""
UNDER_WAY_MAX: Final = 2
"""Statements of one query that may run at the same time; while they do, further calls gather."""

T = TypeVar("T")
MethodT = TypeVar("MethodT", bound=Callable[..., Awaitable[Any]])

Values = Sequence[Any]
FetchRows = Callable[..., Awaitable[Sequence[Any]]]
"""Runs a statement with its arguments and returns the rows."""


def joined(method: MethodT) -> MethodT:
    """Declares that the query of this method is written in its array form, see JoinedQuery.

    Its parameters are arrays of those of the method, named with an `s` more.
    """
    method.__is_joined__ = True  # type: ignore[attr-defined]  # functions may have any attribute
    return method


def is_joined(method: Callable[..., Any]) -> bool:
    return getattr(method, "__is_joined__", False)


@dataclass(frozen=True, slots=True, eq=False)
class JoinedQuery:
    """A query in its array form: each argument is an array with one element a call, and the first column of each row
    is the place of its call in them, from 1.
    """

    sql: str
    read_row: Callable[[Any], Any]
    """Makes the result of a row, whose first column is the place."""
    many_rows: bool
    """True: a call gets the list of its rows, in the order of the statement; False: its only row, or None."""

    def arguments(self, calls: Sequence[Values]) -> list[list[Any]]:
        """The arrays for these calls."""
        return [list(column) for column in zip(*calls, strict=True)]

    def results(self, rows: Sequence[Any], calls: int) -> list[Any]:
        """The result of each of so many calls."""
        read = self.read_row
        if self.many_rows:
            lists: list[Any] = [[] for _ in range(calls)]
            for row in rows:
                lists[row[0] - 1].append(read(row))
            return lists
        single: list[Any] = [None] * calls
        for row in rows:
            single[row[0] - 1] = read(row)
        return single


class _Call(NamedTuple):
    values: Values
    result: asyncio.Future[Any]


class JoinQueue:
    """Joins the calls of one query that only reads.

    A call leaves at the end of the present turn of the loop, together with the others of that turn, or when one of the
    statements that are under way ends. Every call gets an answer: a result, or an error of its own. When PostgreSQL
    cannot answer a statement, the calls that wait behind it get Unavailable as well, so that none waits longer than for
    one statement.
    """

    def __init__(self, query: JoinedQuery, fetch: FetchRows) -> None:
        self._query = query
        self._fetch = fetch
        self._waiting: deque[_Call] = deque()
        self._leaves_soon = False
        self._under_way: set[asyncio.Task[None]] = set()

    def call(self, values: Values) -> asyncio.Future[Any]:
        """The result of the query with these arguments. Raises what the query raises."""
        result = asyncio.get_running_loop().create_future()
        self._waiting.append(_Call(values, result))
        self._leave_soon()
        return result

    def _leave_soon(self) -> None:
        if self._waiting and not self._leaves_soon and len(self._under_way) < UNDER_WAY_MAX:
            self._leaves_soon = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._leaves_soon = False
        calls = [self._waiting.popleft() for _ in range(min(len(self._waiting), CALLS_MAX))]
        statement = asyncio.get_running_loop().create_task(self._answer(calls))
        self._under_way.add(statement)
        statement.add_done_callback(self._ended)
        self._leave_soon()

    def _ended(self, statement: asyncio.Task[None]) -> None:
        self._under_way.discard(statement)
        self._leave_soon()

    async def _answer(self, calls: Sequence[_Call]) -> None:
        """Answers these calls by one statement. One that PostgreSQL refuses is halved until the bad call is alone."""
        calls = [call for call in calls if not call.result.done()]  # a cancelled caller reads nothing
        if not calls:
            return
        try:
            rows = await self._fetch(self._query.sql, *self._query.arguments([call.values for call in calls]))
            results = self._query.results(rows, len(calls))
        except Unavailable as error:
            _fail([*calls, *self._waiting], error)
            self._waiting.clear()
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Retry):
                _fail(calls, error)
            else:
                middle = len(calls) // 2
                await self._answer(calls[:middle])
                await self._answer(calls[middle:])
        except BaseException:
            for call in calls:
                call.result.cancel()
            raise
        else:
            for call, result in zip(calls, results, strict=True):
                if not call.result.done():
                    call.result.set_result(result)


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        if not call.result.done():
            # Each caller raises an exception of its own: the traceback of a shared one would grow with every caller.
            own = copy(error) if isinstance(error, DatabaseError) else error
            own.__cause__ = error.__cause__
            call.result.set_exception(own)


class Statements:
    """Runs statements on one pool; an operation that waits for something else holds no connection.

    At most `at_once_max` statements (None: as many as the pool has connections) run at a time, so that many readers at
    once leave connections for transactions. Further statements queue for up to `turn_timeout_s`. Every method raises
    the errors of `sql.errors`; Unavailable also where no turn or no connection comes in time.
    """

    def __init__(
        self, pool: Pool, *, acquire_timeout_s: float, at_once_max: int | None = None, turn_timeout_s: float = 0.0
    ) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._turns = None if at_once_max is None else asyncio.Semaphore(at_once_max)
        self._turn_timeout_s = turn_timeout_s
        self._queues: dict[JoinedQuery, JoinQueue] = {}

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        return await self._run(lambda connection: connection.fetch(sql, *arguments))

    async def fetchrow(self, sql: str, *arguments: object) -> Any:
        return await self._run(lambda connection: connection.fetchrow(sql, *arguments))

    async def fetchval(self, sql: str, *arguments: object) -> Any:
        return await self._run(lambda connection: connection.fetchval(sql, *arguments))

    async def execute(self, sql: str, *arguments: object) -> str:
        return await self._run(lambda connection: connection.execute(sql, *arguments))

    def join(self, query: JoinedQuery, values: Values) -> asyncio.Future[Any]:
        """Runs one call of a query, in one statement with other calls of it."""
        queue = self._queues.get(query)
        if queue is None:
            queue = self._queues[query] = JoinQueue(query, self.fetch)
        return queue.call(values)

    async def _run(self, statement: Callable[[SqlConnection], Awaitable[T]]) -> T:
        await self._take_turn()
        try:
            try:
                connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
                try:
                    return await statement(connection)
                finally:
                    await self._pool.release(connection)
            except DRIVER_ERRORS as error:
                raise_translated(error)
        finally:
            if self._turns is not None:
                self._turns.release()

    async def _take_turn(self) -> None:
        if self._turns is None:
            return
        if not self._turns.locked():
            await self._turns.acquire()  # does not wait
            return
        try:
            async with asyncio.timeout(self._turn_timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Unavailable("too many readers at this moment") from error

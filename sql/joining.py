"""Joins calls of one query that come in the same turn of the loop to one statement."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeVar

from sql.errors import DatabaseError, Retry, Unavailable

CALLS_MAX: Final = 256
"""Calls joined in one statement."""
READS_UNDER_WAY_MAX: Final = 2
"""Statements of one reading query that may run at the same time; while they do, further calls gather."""
SKIPS_MAX: Final = 2
"""How often a call is skipped before it may wait for its rows alone."""
ALONE_MAX: Final = 2
"""Calls of one query that may wait for locked rows at the same time, beside the joined ones."""
REFUSALS_MAX: Final = 10
"""Statements that may be refused one after the other for locks before the rest of their calls is skipped: more than it
takes to halve CALLS_MAX calls down to a bad one.
"""
PAUSE_S: Final = 0.02
"""Before the next joined statement where the last one answered nobody."""

MethodT = TypeVar("MethodT", bound=Callable[..., Awaitable[Any]])

Values = Sequence[Any]
FetchRows = Callable[..., Awaitable[Sequence[Any]]]
"""Runs a statement with its arguments and returns the rows."""


class Joining(NamedTuple):
    """How the calls of a query are joined. `key` names the parameters that say what a call writes; None: it reads."""

    key: tuple[str, ...] | None


def joined(method: MethodT) -> MethodT:
    """Declares that the query of this method only reads and is written in its array form, see JoinedQuery.

    Its parameters are arrays of those of the method, named with an `s` more.
    """
    method.__joining__ = Joining(None)  # type: ignore[attr-defined]  # functions may have any attribute
    return method


def joined_write(*key: str) -> Callable[[MethodT], MethodT]:
    """The same for a query that writes, see JoinedWrites; calls with the same `key` run one after the other.

    The query takes one more parameter, `patient`: true where it has to wait for rows that others have locked. Else it
    skips the calls that need such rows; its second column tells whether it did.
    """

    def declare(method: MethodT) -> MethodT:
        method.__joining__ = Joining(key)  # type: ignore[attr-defined]  # functions may have any attribute
        return method

    return declare


def joining_of(method: Callable[..., Any]) -> Joining | None:
    """How the calls of a query method are joined; None: not at all."""
    joining: Joining | None = getattr(method, "__joining__", None)
    return joining


@dataclass(frozen=True, slots=True, eq=False)
class JoinedQuery:
    """A query in its array form: each argument is an array with one element a call, and the first column of each row
    is the place of its call in them, from 1.
    """

    sql: str
    read_row: Callable[[Any], Any]
    """Makes the result of a row, from the columns after the place, and after `skipped` where it writes."""
    many_rows: bool
    """True: a call gets the list of its rows, in the order of the statement; False: its only row, or None."""
    key: Callable[[Values], object] | None = None
    """What a call writes, from its arguments; None: the query only reads."""

    def arguments(self, calls: Sequence[Values], *, patient: bool = True) -> list[Any]:
        """The arrays for these calls; `patient` counts for a query that writes."""
        arrays: list[Any] = [list(column) for column in zip(*calls, strict=True)]
        return arrays if self.key is None else [*arrays, patient]

    def results(self, rows: Sequence[Any], calls: int) -> list[Any]:
        """The result of each of so many calls; SKIPPED for one that was skipped."""
        read = self.read_row
        if self.many_rows:
            lists: list[Any] = [[] for _ in range(calls)]
            for row in rows:
                lists[row[0] - 1].append(read(row))
            return lists
        single: list[Any] = [None] * calls
        for row in rows:
            single[row[0] - 1] = SKIPPED if self.key is not None and row[1] else read(row)
        return single


SKIPPED: Final = object()


class _Call:
    __slots__ = ("result", "since_s", "skips", "values")

    def __init__(self, values: Values) -> None:
        loop = asyncio.get_running_loop()
        self.values = values
        self.result: asyncio.Future[Any] = loop.create_future()
        self.since_s = loop.time()
        self.skips = 0


class JoinedReads:
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
        call = _Call(values)
        self._waiting.append(call)
        self._leave_soon()
        return call.result

    def _leave_soon(self) -> None:
        if self._waiting and not self._leaves_soon and len(self._under_way) < READS_UNDER_WAY_MAX:
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
                await _answer_halves(calls, self._answer)
        except BaseException:
            _cancel(calls)
            raise
        else:
            for call, result in zip(calls, results, strict=True):
                _succeed(call, result)


class JoinedWrites:
    """Joins the calls of one query that writes; each is committed when it is answered.

    One joined statement is under way at a time, and takes at most one call of a key, so calls of one key take effect in
    their order. It does not wait for rows that others have locked: a call that needs one is skipped and comes again
    with the next statements; after SKIPS_MAX times it may run alone, beside the joined ones, and wait. A statement that
    PostgreSQL refuses has written nothing and is halved until the bad call is alone. Every call gets an answer: a
    result, or an error of its own; Unavailable where PostgreSQL cannot answer its statement, and where it has waited
    for longer than a call that ran alone in vain. A cancelled caller's call is carried out all the same.
    """

    def __init__(self, query: JoinedQuery, fetch: FetchRows) -> None:
        assert query.key is not None
        self._query = query
        self._key = query.key
        self._fetch = fetch
        self._waiting: list[_Call] = []
        self._busy: set[object] = set()
        self._leaves_soon = False
        self._joined: asyncio.Task[None] | None = None
        self._alone: set[asyncio.Task[None]] = set()
        self._answered_any = False
        self._refusals = 0

    def call(self, values: Values) -> asyncio.Future[Any]:
        """The result of the query with these arguments. Raises what the query raises."""
        call = _Call(values)
        self._waiting.append(call)
        self._leave_soon()
        return call.result

    def _leave_soon(self) -> None:
        if self._waiting and not self._leaves_soon and self._joined is None:
            self._leaves_soon = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._leaves_soon = False
        calls: list[_Call] = []
        staying: list[_Call] = []
        keys = set(self._busy)
        for call in self._waiting:
            key = self._key(call.values)
            (staying if key in keys or len(calls) == CALLS_MAX else calls).append(call)
            keys.add(key)
        self._waiting = staying
        if calls:
            self._busy.update(self._key(call.values) for call in calls)
            self._answered_any, self._refusals = False, 0
            self._joined = asyncio.get_running_loop().create_task(self._answer(calls))
            self._joined.add_done_callback(self._joined_ended)

    def _joined_ended(self, _statement: asyncio.Task[None]) -> None:
        self._joined = None
        if self._answered_any:
            self._leave_soon()
        else:
            asyncio.get_running_loop().call_later(PAUSE_S, self._leave_soon)

    async def _answer(self, calls: Sequence[_Call]) -> None:
        if self._refusals > REFUSALS_MAX:
            self._skip(calls)
            return
        try:
            rows = await self._fetch(self._query.sql, *self._arguments(calls, patient=False))
            results = self._query.results(rows, len(calls))
        except Unavailable as error:
            waiting, self._waiting = self._waiting, []
            self._end(calls)
            _fail([*calls, *waiting], error)
        except Exception as error:
            self._refusals += isinstance(error, Retry)
            if len(calls) > 1:
                await _answer_halves(calls, self._answer)
            elif isinstance(error, Retry):
                self._skip(calls)
            else:
                self._end(calls)
                _fail(calls, error)
        except BaseException:
            _cancel(calls)
            raise
        else:
            self._refusals = 0
            skipped = []
            for call, result in zip(calls, results, strict=True):
                if result is SKIPPED:
                    skipped.append(call)
                else:
                    self._end((call,))
                    _succeed(call, result)
            self._skip(skipped)

    def _skip(self, calls: Sequence[_Call]) -> None:
        """Tries these calls again with the next statement, or some of them alone."""
        again = []
        for call in calls:
            if call.skips >= SKIPS_MAX and len(self._alone) < ALONE_MAX:
                statement = asyncio.get_running_loop().create_task(self._answer_alone(call))
                self._alone.add(statement)
                statement.add_done_callback(self._alone_ended)
            else:
                call.skips += 1
                self._busy.discard(self._key(call.values))
                again.append(call)
        self._waiting[:0] = again

    def _alone_ended(self, statement: asyncio.Task[None]) -> None:
        self._alone.discard(statement)
        self._leave_soon()  # calls of the same key may wait

    async def _answer_alone(self, call: _Call) -> None:
        began_s = asyncio.get_running_loop().time()
        try:
            rows = await self._fetch(self._query.sql, *self._arguments([call], patient=True))
            (result,) = self._query.results(rows, 1)
        except Unavailable as error:
            late = [waiting for waiting in self._waiting if waiting.since_s <= began_s]
            self._waiting = [waiting for waiting in self._waiting if waiting.since_s > began_s]
            self._end((call,))
            _fail([call, *late], error)
        except Exception as error:
            self._end((call,))
            _fail([call], error)
        except BaseException:
            _cancel([call])
            raise
        else:
            self._end((call,))
            _succeed(call, result)

    def _arguments(self, calls: Sequence[_Call], *, patient: bool) -> list[Any]:
        return self._query.arguments([call.values for call in calls], patient=patient)

    def _end(self, calls: Sequence[_Call]) -> None:
        """These calls have their answer, or get it now."""
        self._answered_any = True
        self._busy.difference_update(self._key(call.values) for call in calls)


async def _answer_halves(calls: Sequence[_Call], answer: Callable[[Sequence[_Call]], Awaitable[None]]) -> None:
    middle = len(calls) // 2
    try:
        await answer(calls[:middle])
        await answer(calls[middle:])
    except BaseException:
        _cancel(calls)
        raise


def _succeed(call: _Call, result: object) -> None:
    if not call.result.done():
        call.result.set_result(result)


def _fail(calls: Sequence[_Call], error: Exception) -> None:
    for call in calls:
        if not call.result.done():
            # Each caller raises an exception of its own: the traceback of a shared one would grow with every caller.
            own = copy(error) if isinstance(error, DatabaseError) else error
            own.__cause__ = error.__cause__
            call.result.set_exception(own)


def _cancel(calls: Sequence[_Call]) -> None:
    for call in calls:
        call.result.cancel()

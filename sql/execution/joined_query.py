"""A query in its array form, and the calls of it that one statement answers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Final

from sql.errors import DatabaseError

CALLS_MAX: Final = 256
"""Calls joined in one statement."""

Values = Sequence[Any]
FetchRows = Callable[..., Awaitable[Sequence[Any]]]
"""Runs a statement with its arguments and returns the rows."""


def arrays_of_columns(calls: Sequence[Values]) -> list[Any]:
    """One array for each argument, with an element for each call."""
    return [list(column) for column in zip(*calls, strict=True)]


@dataclass(frozen=True, slots=True, eq=False)
class JoinedQuery:
    """A query in its array form: it takes arrays for many calls, and the first column of each row is the place of its
    call in them, from 1.
    """

    sql: str
    read_row: Callable[[Any], Any]
    """Makes the result of a row, from the columns after the place, and after `skipped` where it writes."""
    many_rows: bool
    """True: a call gets the list of its rows, in the order of the statement; False: its only row, or None."""
    key: Callable[[Values], object] | None = None
    """What a call writes, from its arguments; None: the query only reads."""
    arrays_of: Callable[[Sequence[Values]], list[Any]] = arrays_of_columns
    """Makes the arrays from the arguments of the calls."""
    several_of_key: bool = False
    """Whether a statement that writes may get several calls of one key."""
    calls_max: int = CALLS_MAX
    """Calls that one statement which only reads gets at most."""

    def arguments(self, calls: Sequence[Values], *, patient: bool = True) -> list[Any]:
        """The arrays for these calls; `patient` counts for a query that writes."""
        arrays = self.arrays_of(calls)
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

_numbers = itertools.count()


class JoinedCall:
    """One call: its arguments, the answer that its caller waits for, and how often it was skipped.

    `number` is larger for a later call.
    """

    __slots__ = ("number", "result", "since_s", "skips", "values")

    def __init__(self, values: Values) -> None:
        loop = asyncio.get_running_loop()
        self.number = next(_numbers)
        self.values = values
        self.result: asyncio.Future[Any] = loop.create_future()
        self.since_s = loop.time()
        self.skips = 0


async def answer_halves(calls: Sequence[JoinedCall], answer: Callable[[Sequence[JoinedCall]], Awaitable[None]]) -> None:
    middle = len(calls) // 2
    try:
        await answer(calls[:middle])
        await answer(calls[middle:])
    except BaseException:
        cancel(calls)
        raise


def succeed(call: JoinedCall, result: object) -> None:
    if not call.result.done():
        call.result.set_result(result)


def fail(calls: Sequence[JoinedCall], error: Exception) -> None:
    for call in calls:
        if not call.result.done():
            # Each caller raises an exception of its own: the traceback of a shared one would grow with every caller.
            own = copy(error) if isinstance(error, DatabaseError) else error
            own.__cause__ = error.__cause__
            call.result.set_exception(own)


def cancel(calls: Sequence[JoinedCall]) -> None:
    for call in calls:
        call.result.cancel()

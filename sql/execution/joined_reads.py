"""Joins the calls of a query that only reads."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from sql.errors import Retry, Unavailable
from sql.execution.joined_query import (
    FetchRows,
    JoinedCall,
    JoinedQuery,
    Values,
    answer_halves,
    cancel,
    fail,
    succeed,
)

READS_UNDER_WAY_MAX: Final = 2
"""Statements of one reading query that may run at the same time; while they do, further calls gather."""


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
        self._waiting: deque[JoinedCall] = deque()
        self._leaves_soon = False
        self._under_way: set[asyncio.Task[None]] = set()

    def call(self, values: Values) -> asyncio.Future[Any]:
        """The result of the query with these arguments. Raises what the query raises."""
        call = JoinedCall(values)
        self._waiting.append(call)
        self._leave_soon()
        return call.result

    def _leave_soon(self) -> None:
        if self._waiting and not self._leaves_soon and len(self._under_way) < READS_UNDER_WAY_MAX:
            self._leaves_soon = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._leaves_soon = False
        calls = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._query.calls_max))]
        statement = asyncio.get_running_loop().create_task(self._answer(calls))
        self._under_way.add(statement)
        statement.add_done_callback(self._ended)
        self._leave_soon()

    def _ended(self, statement: asyncio.Task[None]) -> None:
        self._under_way.discard(statement)
        self._leave_soon()

    async def _answer(self, calls: Sequence[JoinedCall]) -> None:
        """Answers these calls by one statement. One that PostgreSQL refuses is halved until the bad call is alone."""
        calls = [call for call in calls if not call.result.done()]  # a cancelled caller reads nothing
        if not calls:
            return
        try:
            rows = await self._fetch(self._query.sql, *self._query.arguments([call.values for call in calls]))
            results = self._query.results(rows, len(calls))
        except Unavailable as error:
            fail([*calls, *self._waiting], error)
            self._waiting.clear()
        except Exception as error:
            if len(calls) == 1 or isinstance(error, Retry):
                fail(calls, error)
            else:
                await answer_halves(calls, self._answer)
        except BaseException:
            cancel(calls)
            raise
        else:
            for call, result in zip(calls, results, strict=True):
                succeed(call, result)

"""Joins the calls of a query that writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from sql.errors import Retry, Unavailable
from sql.execution.joined_query import (
    CALLS_MAX,
    SKIPPED,
    FetchRows,
    JoinedCall,
    JoinedQuery,
    Values,
    answer_halves,
    cancel,
    fail,
    succeed,
)

SKIPS_MAX: Final = 2
"""How often a call is skipped before it may wait for its rows alone."""
ALONE_MAX: Final = 2
"""Calls of one query that may wait for locked rows at the same time, beside the joined ones."""
REFUSALS_MAX: Final = 10
"""Statements that may be refused one after the other for locks before the rest of their calls is skipped: more than it
takes to halve CALLS_MAX calls down to a bad one.
"""
PAUSE_S: Final = 0.02
"""Before the next joined statement where the last one answered nobody, and no further call may wait alone."""
BRIEF_PAUSE_S: Final = 0.002
"""The same where one may: then it waits for its rows after SKIPS_MAX such pauses."""


class JoinedWrites:
    """Joins the calls of one query that writes; each is committed when it is answered.

    One joined statement is under way at a time, and takes at most one call of a key, or where the query can do that,
    all of them in their order: so calls of one key take effect in their order. It does not wait for rows that others
    have locked: a call that needs one is skipped and comes again with the next statements; after SKIPS_MAX times it may
    run alone, beside the joined ones, and wait. A statement that PostgreSQL refuses has written nothing and is halved
    until the bad call is alone. Every call gets an answer: a result, or an error of its own; Unavailable where
    PostgreSQL cannot answer its statement, and where it has waited for longer than a call that ran alone in vain. A
    cancelled caller's call is carried out all the same.
    """

    def __init__(self, query: JoinedQuery, fetch: FetchRows) -> None:
        assert query.key is not None
        self._query = query
        self._key = query.key
        self._fetch = fetch
        self._waiting: list[JoinedCall] = []
        self._leaves_soon = False
        self._joined: asyncio.Task[None] | None = None
        self._alone: dict[object, asyncio.Task[None]] = {}
        self._skipped: set[object] = set()
        self._answered_any = False
        self._refusals = 0
        self._in_vain: tuple[float, Unavailable] | None = None
        """When the last call that waited alone in vain began to, and how it ended."""

    def call(self, values: Values) -> asyncio.Future[Any]:
        """The result of the query with these arguments. Raises what the query raises."""
        call = JoinedCall(values)
        self._waiting.append(call)
        self._leave_soon()
        return call.result

    def _leave_soon(self) -> None:
        if self._waiting and not self._leaves_soon and self._joined is None:
            self._leaves_soon = True
            asyncio.get_running_loop().call_soon(self._leave)

    def _leave(self) -> None:
        self._leaves_soon = False
        calls: list[JoinedCall] = []
        staying: list[JoinedCall] = []
        keys = set(self._alone)
        for call in self._waiting:
            key = self._key(call.values)
            if key in keys or len(calls) == CALLS_MAX:
                staying.append(call)
                continue
            calls.append(call)
            if not self._query.several_of_key:
                keys.add(key)
        self._waiting = staying
        if calls:
            self._answered_any, self._refusals = False, 0
            self._skipped.clear()
            self._joined = asyncio.get_running_loop().create_task(self._answer(calls))
            self._joined.add_done_callback(self._joined_ended)

    def _joined_ended(self, _statement: asyncio.Task[None]) -> None:
        self._joined = None
        if self._answered_any:
            self._leave_soon()
        else:
            pause_s = PAUSE_S if len(self._alone) == ALONE_MAX else BRIEF_PAUSE_S
            asyncio.get_running_loop().call_later(pause_s, self._leave_soon)

    async def _answer(self, calls: Sequence[JoinedCall]) -> None:
        if self._refusals > REFUSALS_MAX:
            self._skip(calls)
            return
        if self._skipped:  # by an earlier half of this statement: what comes later of the same key must not pass it
            self._skip([call for call in calls if self._key(call.values) in self._skipped])
            calls = [call for call in calls if self._key(call.values) not in self._skipped]
            if not calls:
                return
        try:
            rows = await self._fetch(self._query.sql, *self._arguments(calls, patient=False))
            results = self._query.results(rows, len(calls))
        except Unavailable as error:
            waiting, self._waiting = self._waiting, []
            self._answered_any = True
            fail([*calls, *waiting], error)
        except Exception as error:
            self._refusals += isinstance(error, Retry)
            if len(calls) > 1:
                await answer_halves(calls, self._answer)
            elif isinstance(error, Retry):
                self._skip(calls)
            else:
                self._answered_any = True
                fail(calls, error)
        except BaseException:
            cancel(calls)
            raise
        else:
            self._refusals = 0
            skipped = []
            for call, result in zip(calls, results, strict=True):
                if result is SKIPPED:
                    skipped.append(call)
                else:
                    self._answered_any = True
                    succeed(call, result)
            self._skip(skipped)

    def _skip(self, calls: Sequence[JoinedCall]) -> None:
        """Tries these calls again with the next statement, or some of them alone."""
        again = []
        if self._in_vain is not None:
            began_s, error = self._in_vain
            late = [call for call in calls if call.since_s <= began_s]
            self._answered_any |= bool(late)
            fail(late, error)
            calls = [call for call in calls if call.since_s > began_s]
        for call in calls:
            key = self._key(call.values)
            self._skipped.add(key)
            if call.skips >= SKIPS_MAX and len(self._alone) < ALONE_MAX and key not in self._alone:
                self._alone[key] = asyncio.get_running_loop().create_task(self._answer_alone(call))
            else:
                call.skips += 1
                again.append(call)
        if again:
            self._waiting = sorted([*again, *self._waiting], key=lambda call: call.number)

    async def _answer_alone(self, call: JoinedCall) -> None:
        began_s = asyncio.get_running_loop().time()
        try:
            rows = await self._fetch(self._query.sql, *self._arguments([call], patient=True))
            (result,) = self._query.results(rows, 1)
        except Unavailable as error:
            self._in_vain = began_s, error
            late = [waiting for waiting in self._waiting if waiting.since_s <= began_s]
            self._waiting = [waiting for waiting in self._waiting if waiting.since_s > began_s]
            fail([call, *late], error)
        except Exception as error:
            fail([call], error)
        except BaseException:
            cancel([call])
            raise
        else:
            succeed(call, result)
        finally:
            del self._alone[self._key(call.values)]
            self._leave_soon()  # calls of the same key may wait

    def _arguments(self, calls: Sequence[JoinedCall], *, patient: bool) -> list[Any]:
        return self._query.arguments([call.values for call in calls], patient=patient)

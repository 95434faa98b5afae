"""Runs single statements, each on a connection that it has for as long as it runs."""

from __future__ import annotations

import asyncio
from typing import Any

from sql.errors import DRIVER_ERRORS, raise_translated
from sql.execution.joined_query import JoinedQuery, Values
from sql.execution.joined_reads import JoinedReads
from sql.execution.joined_writes import JoinedWrites
from sql.execution.turns import Patience, Turns
from sql.pool import Pool


class Statements:
    """Runs statements on one pool; an operation that waits for something else holds no connection.

    At most `at_once_max` statements (None: as many as the pool has connections) run at a time, so that many readers at
    once leave connections for transactions. Further statements queue. Every method raises the errors of `sql.errors`;
    Unavailable also where no turn or no connection comes in time.
    """

    def __init__(self, pool: Pool, patience: Patience, *, at_once_max: int | None = None) -> None:
        self._pool = pool
        self._patience = patience
        self._turns = None if at_once_max is None else Turns(at_once_max)
        self._queues: dict[JoinedQuery, JoinedReads | JoinedWrites] = {}

    async def fetch(self, sql: str, *arguments: object) -> list[Any]:
        rows: list[Any] = await self._run("fetch", sql, arguments)
        return rows

    async def fetchrow(self, sql: str, *arguments: object) -> Any:
        return await self._run("fetchrow", sql, arguments)

    async def fetchval(self, sql: str, *arguments: object) -> Any:
        return await self._run("fetchval", sql, arguments)

    async def execute(self, sql: str, *arguments: object) -> str:
        status: str = await self._run("execute", sql, arguments)
        return status

    def join(self, query: JoinedQuery, values: Values) -> asyncio.Future[Any]:
        """Runs one call of a query, in one statement with other calls of it."""
        queue = self._queues.get(query)
        if queue is None:
            made = JoinedReads if query.key is None else JoinedWrites
            queue = self._queues[query] = made(query, self.fetch)
        return queue.call(values)

    async def _run(self, method: str, sql: str, arguments: tuple[object, ...]) -> Any:
        turns = self._turns
        if turns is not None and not turns.take_free():
            await turns.wait(self._patience)
        try:
            connection = await self._pool.take(self._patience)
            sound = False
            try:
                answer = await getattr(connection, method)(sql, *arguments)
                sound = True
                return answer
            except DRIVER_ERRORS as error:
                raise_translated(error)
            finally:
                self._pool.give_back(connection, sound=sound)
        finally:
            if turns is not None:
                turns.give_back()

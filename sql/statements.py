"""Statements outside of units of work: each has a connection for as long as it runs, and commits by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sql.errors import DRIVER_ERRORS, Unavailable, raise_translated
from sql.joining import JoinedQuery, JoinedReads, JoinedWrites, Values
from sql.pool import Pool, SqlConnection

T = TypeVar("T")


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
        self._queues: dict[JoinedQuery, JoinedReads | JoinedWrites] = {}

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
            made = JoinedReads if query.key is None else JoinedWrites
            queue = self._queues[query] = made(query, self.fetch)
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

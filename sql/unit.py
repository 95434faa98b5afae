"""Units of work: one connection for as long as one operation needs it."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType
from typing import Final

from sql.database import Database, Queries, UnitDatabase
from sql.errors import DRIVER_ERRORS, DatabaseError, Unavailable, is_session_lost, raise_translated
from sql.execution.statements import Statements
from sql.execution.turns import Patience
from sql.pool import LentConnection, Pool, SqlConnection

LOST_MAX: Final = 100
"""Connections of a pool that may be found lost before one is given up."""


class Units:
    """Opens units of work on one pool; `reads` is for operations that only read, and holds no connection.

    At most `readers_max` statements of `reads` (None: as many as the pool has connections) run at a time, so that many
    readers at once leave connections for writers. Whoever finds no connection free queues: for `acquire_timeout_s`
    while none becomes free, and for up to `turn_timeout_s` while those who came earlier get theirs.
    """

    def __init__(
        self,
        pool: Pool,
        queries: Queries,
        *,
        acquire_timeout_s: float,
        readers_max: int | None = None,
        turn_timeout_s: float = 0.0,
    ) -> None:
        self._pool = pool
        self._queries = queries
        self._patience = Patience(stalled_s=acquire_timeout_s, in_all_s=max(acquire_timeout_s, turn_timeout_s))
        self.reads = Database(queries, Statements(pool, self._patience, at_once_max=readers_max))
        """Each statement sees what is committed when it starts. Joins calls of one query (`sql.execution.joining`)."""
        self.single_writes = Database(queries, Statements(pool, self._patience))
        """For operations that write by one statement, which commits by itself; `readers_max` does not apply."""

    def lend(self) -> LentUnit:
        """Lends a connection without a transaction: each statement commits by itself.

        Raises Unavailable when no connection comes in time.
        """
        return LentUnit(self._pool, self._patience, self._queries)

    def write(self) -> WritingUnit:
        """Lends a connection in a transaction (read committed) that is committed at the end of the block.

        An exception in the block rolls everything back and is raised again. Raises Unavailable when no connection comes
        in time.
        """
        return WritingUnit(self._pool, self._patience, self._queries)


class LentUnit:
    """A connection for a block. These are classes since each command that writes needs one of them."""

    __slots__ = ("_connection", "_patience", "_pool", "_queries")

    def __init__(self, pool: Pool, patience: Patience, queries: Queries) -> None:
        self._pool = pool
        self._patience = patience
        self._queries = queries

    async def __aenter__(self) -> UnitDatabase:
        self._connection: LentConnection = await self._pool.take(self._patience)
        return UnitDatabase(self._queries, self._connection)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.give_back(self._connection, sound=error is None)


class WritingUnit(LentUnit):
    """The same with a transaction."""

    __slots__ = ("_transaction",)

    async def __aenter__(self) -> UnitDatabase:
        tries_left = LOST_MAX
        while True:
            tries_left -= 1
            db = await super().__aenter__()
            self._transaction = transaction(db)
            try:
                await self._transaction.__aenter__()
            except Unavailable as error:
                self._pool.give_back(self._connection, sound=False)
                # After a restart of PostgreSQL all idle connections are lost; nothing was begun on this one.
                if not tries_left or not is_session_lost(error):
                    raise
            except BaseException:
                self._pool.give_back(self._connection, sound=False)
                raise
            else:
                return db

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        sound = False
        try:
            await self._transaction.__aexit__(kind, error, traceback)
            sound = error is None
        finally:
            self._pool.give_back(self._connection, sound=sound)


def transaction(db: UnitDatabase) -> Transaction:
    """Commits the block as one; inside a transaction it is a savepoint, so that one bad item can fail alone."""
    return Transaction(db.connection)


class Transaction:
    """BEGIN or SAVEPOINT, then COMMIT or ROLLBACK at the end of a block."""

    __slots__ = ("_connection", "_steps")

    def __init__(self, connection: SqlConnection) -> None:
        self._connection = connection
        self._steps = connection.transaction()

    async def __aenter__(self) -> None:
        await self._take(self._steps.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            await self._take(self._steps.commit)
            return
        # The block's own exception matters more than one of the rollback.
        with suppress(DatabaseError, *DRIVER_ERRORS):
            await self._take(self._steps.rollback)

    async def _take(self, step: Callable[[], Awaitable[None]]) -> None:
        """Interrupted, a step leaves the connection in an unknown state, so it is closed."""
        try:
            try:
                await step()
            except DRIVER_ERRORS as error:
                raise_translated(error)
        except (CancelledError, Unavailable):
            with suppress(*DRIVER_ERRORS):  # the pool may have closed it already
                self._connection.terminate()
            raise

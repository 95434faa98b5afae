"""Units of work: one connection for as long as one operation needs it."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from sql.database import Database, Queries, UnitDatabase
from sql.errors import DRIVER_ERRORS, DatabaseError, Unavailable, raise_translated
from sql.pool import Pool, SqlConnection, Statements


class Units:
    """Opens units of work on one pool; `reads` is for operations that only read, and holds no connection.

    At most `readers_max` statements of `reads` (None: as many as the pool has connections) run at a time, so that many
    readers at once leave connections for writers. Further ones queue for up to `turn_timeout_s`.
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
        self._acquire_timeout_s = acquire_timeout_s
        statements = Statements(
            pool, acquire_timeout_s=acquire_timeout_s, at_once_max=readers_max, turn_timeout_s=turn_timeout_s
        )
        self.reads = Database(queries, statements)
        """Each statement sees what is committed when it starts. Joins calls of one query, see `sql.joining`."""
        self.single_writes = Database(queries, Statements(pool, acquire_timeout_s=acquire_timeout_s))
        """For operations that write by one statement, which commits by itself; `readers_max` does not apply."""

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[UnitDatabase]:
        """Lends a connection without a transaction: each statement commits by itself.

        Raises Unavailable when no connection is free within the acquire timeout.
        """
        try:
            connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
        except DRIVER_ERRORS as error:
            raise_translated(error)
        try:
            yield UnitDatabase(self._queries, connection)
        finally:
            try:
                await self._pool.release(connection)

            except DRIVER_ERRORS as error:
                raise_translated(error)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[UnitDatabase]:
        """Lends a connection in a transaction (read committed) that is committed at the end of the block.

        An exception in the block rolls everything back and is raised again. Raises Unavailable when no connection is
        free within the acquire timeout.
        """
        async with self.lend() as db:
            async with transaction(db):
                yield db


@asynccontextmanager
async def transaction(db: UnitDatabase) -> AsyncIterator[None]:
    """Commits the block as one; inside a transaction it is a savepoint, so that one bad item can fail alone."""
    connection = db.connection
    started = connection.transaction()
    with _discarded_if_interrupted(connection):
        await started.start()
    try:
        yield
    except BaseException:
        # The block's own exception matters more than one of the rollback.
        with suppress(DatabaseError, *DRIVER_ERRORS), _discarded_if_interrupted(connection):
            await started.rollback()
        raise
    with _discarded_if_interrupted(connection):
        await started.commit()


@contextmanager
def _discarded_if_interrupted(connection: SqlConnection) -> Iterator[None]:
    """Around BEGIN, COMMIT and ROLLBACK: interrupted, it leaves the connection in an unknown state, so it is closed."""
    try:
        try:
            yield
        except DRIVER_ERRORS as error:
            raise_translated(error)
    except (CancelledError, Unavailable):
        with suppress(*DRIVER_ERRORS):  # the pool may have closed it already
            connection.terminate()
        raise

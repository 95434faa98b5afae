"""Units of work: one connection for as long as one operation needs it."""

from asyncio import CancelledError, Semaphore, timeout
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from sql.database import Database, Queries
from sql.errors import DRIVER_ERRORS, DatabaseError, Unavailable, raise_translated
from sql.pool import Pool, SqlConnection


class Units:
    """Opens units of work on one pool.

    At most `readers_max` connections (None: all of the pool) are lent for reading at a time, so that many readers at
    once leave connections for writers. Further readers queue for up to `turn_timeout_s`.
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
        self._turns = None if readers_max is None else Semaphore(readers_max)
        self._turn_timeout_s = turn_timeout_s

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Database]:
        """Lends a connection without a transaction: each statement sees what is committed when it starts.

        Raises Unavailable when the reader's turn does not come, or no connection is free, in time.
        """
        if self._turns is None:
            async with self.write_at_once() as db:
                yield db
            return
        try:
            async with timeout(self._turn_timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Unavailable("too many readers at this moment") from error
        try:
            async with self.write_at_once() as db:
                yield db
        finally:
            self._turns.release()

    @asynccontextmanager
    async def write_at_once(self) -> AsyncIterator[Database]:
        """Lends a connection without a transaction: each statement commits by itself. `readers_max` does not apply.

        Raises Unavailable when no connection is free within the acquire timeout.
        """
        try:
            connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
        except DRIVER_ERRORS as error:
            raise_translated(error)
        try:
            yield Database(self._queries, connection)
        finally:
            try:
                await self._pool.release(connection)

            except DRIVER_ERRORS as error:
                raise_translated(error)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Database]:
        """Lends a connection in a transaction (read committed) that is committed at the end of the block.

        An exception in the block rolls everything back and is raised again. Raises Unavailable when no connection is
        free within the acquire timeout.
        """
        async with self.write_at_once() as db:
            async with transaction(db):
                yield db


@asynccontextmanager
async def transaction(db: Database) -> AsyncIterator[None]:
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

"""Units of work: a connection for as long as one operation needs it."""

from asyncio import CancelledError, Semaphore, timeout
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from sql.errors import DRIVER_ERRORS, DatabaseError, Unavailable, translated
from sql.pool import Pool

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    SqlConnection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes are generic in its stubs only
    SqlConnection = asyncpg.Connection


class Units:
    """Opens units of work on one pool.

    At most `readers_max` connections (None: all) are lent for reading at a time: a crowd that reads what it has missed
    keeps nobody from writing. It stands in line for up to `turn_timeout_s` instead.
    """

    def __init__(
        self, pool: Pool, *, acquire_timeout_s: float, readers_max: int | None = None, turn_timeout_s: float = 0.0
    ) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s
        self._turns = None if readers_max is None else Semaphore(readers_max)
        self._turn_timeout_s = turn_timeout_s

    @asynccontextmanager
    async def read(self) -> AsyncIterator[SqlConnection]:
        """Lends a connection without a transaction: each statement sees what is committed when it starts.

        Raises Unavailable when its turn does not come, or no connection is free, in time.
        """
        if self._turns is None:
            async with self.write_at_once() as connection:
                yield connection
            return
        try:
            async with timeout(self._turn_timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Unavailable("too many read at this moment") from error
        try:
            async with self.write_at_once() as connection:
                yield connection
        finally:
            self._turns.release()

    @asynccontextmanager
    async def write_at_once(self) -> AsyncIterator[SqlConnection]:
        """Lends a connection without a transaction: each statement is committed by itself. No turn is waited for.

        Raises Unavailable when no connection is free within the acquire timeout.
        """
        with translated():
            connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
        try:
            yield connection
        finally:
            with translated():
                await self._pool.release(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[SqlConnection]:
        """Lends a connection in a transaction (read committed) that is committed at the end of the block.

        An exception in the block rolls everything back and goes on its way. Raises Unavailable when no connection is
        free within the acquire timeout.
        """
        async with self.write_at_once() as connection:
            async with transaction(connection):
                yield connection


@asynccontextmanager
async def transaction(connection: SqlConnection) -> AsyncIterator[None]:
    """Commits the block as one; inside a transaction it is a savepoint, so that one bad item can fail alone."""
    started = connection.transaction()
    with _to_its_end(connection):
        await started.start()
    try:
        yield
    except BaseException:
        # What the block raised is the news, not how the rollback fares.
        with suppress(DatabaseError, *DRIVER_ERRORS), _to_its_end(connection):
            await started.rollback()
        raise
    with _to_its_end(connection):
        await started.commit()


@contextmanager
def _to_its_end(connection: SqlConnection) -> Iterator[None]:
    """Around BEGIN, COMMIT and ROLLBACK: cut off, nobody knows how far it got, so the connection is thrown away."""
    try:
        with translated():
            yield
    except (CancelledError, Unavailable):
        with suppress(*DRIVER_ERRORS):  # its pool may have taken it back already
            connection.terminate()
        raise

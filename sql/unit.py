"""Units of work: a connection for as long as one operation needs it."""

from asyncio import CancelledError
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, TypeAlias

import asyncpg

from sql.errors import DRIVER_ERRORS, DatabaseError, Unavailable, translated
from sql.pool import Pool

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes are generic in its stubs only
    Connection = asyncpg.Connection


class Units:
    """Opens units of work on one pool."""

    def __init__(self, pool: Pool, *, acquire_timeout_s: float) -> None:
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Lends a connection without a transaction: each statement sees what is committed when it starts.

        Raises Unavailable when none is free within the acquire timeout.
        """
        with translated():
            connection = await self._pool.acquire(timeout=self._acquire_timeout_s)
        try:
            yield connection
        finally:
            with translated():
                await self._pool.release(connection)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Connection]:
        """Lends a connection in a transaction (read committed) that is committed at the end of the block.

        An exception in the block rolls everything back and goes on its way.
        """
        async with self.read() as connection:
            async with transaction(connection):
                yield connection


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
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
def _to_its_end(connection: Connection) -> Iterator[None]:
    """Around BEGIN, COMMIT and ROLLBACK: cut off, nobody knows how far it got, so the connection is thrown away."""
    try:
        with translated():
            yield
    except (CancelledError, Unavailable):
        with suppress(*DRIVER_ERRORS):  # its pool may have taken it back already
            connection.terminate()
        raise

"""The connections of this process to PostgreSQL, and single statements on them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import asyncpg
import orjson

from sql.errors import DRIVER_ERRORS, Unavailable, raise_translated
from sql.joining import JoinedQuery, JoinedReads, JoinedWrites, Values

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    PlainConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    SqlConnection: TypeAlias = PlainConnection | PoolConnectionProxy[asyncpg.Record]
else:  # asyncpg's classes are generic in its stubs only
    Pool = asyncpg.Pool
    PlainConnection = asyncpg.Connection
    SqlConnection = asyncpg.Connection

T = TypeVar("T")

_JSONB_VERSION: Final = b"\x01"


def plain_url(database_url: str) -> str:
    """The address without the driver name that other tools add (`postgresql+asyncpg://`)."""
    scheme, separator, rest = database_url.partition("://")
    return scheme.removesuffix("+asyncpg") + separator + rest


async def open_pool(
    database_url: str,
    *,
    min_size: int,
    max_size: int,
    connect_timeout_s: float,
    statement_timeout_ms: int,
    named_statements: bool = True,
) -> Pool:
    """Opens `min_size` connections; the pool opens more, up to `max_size`, when they are needed.

    Waits somewhat longer for an answer than `statement_timeout_ms`, which the server keeps itself where it stands among
    its session settings. Raises Unavailable when PostgreSQL cannot be reached.
    """
    try:
        return await asyncpg.create_pool(
            plain_url(database_url),
            min_size=min_size,
            max_size=max_size,
            timeout=connect_timeout_s,
            # The server ends a slow statement; this ends the wait for a server that does not respond.
            command_timeout=statement_timeout_ms / 1000 + 2,
            max_cached_statement_lifetime=0,
            init=use_orjson,
            reset=_keep_session,
            **connection_options(named_statements=named_statements),
        )

    except DRIVER_ERRORS as error:
        raise_translated(error)


def connection_options(*, named_statements: bool) -> dict[str, Any]:
    """What asyncpg needs to know for every connection of the product. All other settings stand in the database."""
    return {
        "connection_class": PlainConnection if named_statements else UnnamedStatements,
        # Every query stays prepared: there are fewer than this, and PostgreSQL replans when tables change.
        "statement_cache_size": 512 if named_statements else 0,
        "server_settings": {"application_name": "rookery"},
    }


class UnnamedStatements(PlainConnection):
    """For poolers in transaction mode that do not carry prepared statements from one session to another.

    asyncpg sends a query in two steps, which only a transaction keeps in one session.
    """

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        async with self._in_one_session() if args else nullcontext():  # without arguments it is one step
            return await super().execute(query, *args, **options)

    async def fetch(self, *args: Any, **options: Any) -> Any:
        async with self._in_one_session():
            return await super().fetch(*args, **options)

    async def fetchrow(self, *args: Any, **options: Any) -> Any:
        async with self._in_one_session():
            return await super().fetchrow(*args, **options)

    async def fetchval(self, *args: Any, **options: Any) -> Any:
        async with self._in_one_session():
            return await super().fetchval(*args, **options)

    async def set_type_codec(self, *args: Any, **options: Any) -> None:
        async with self._in_one_session():
            await super().set_type_codec(*args, **options)

    def _in_one_session(self) -> AbstractAsyncContextManager[Any]:
        return nullcontext() if self.is_in_transaction() else self.transaction()


async def close_pool(pool: Pool, *, timeout_s: float) -> None:
    """Closes all connections; those still busy after `timeout_s` are terminated."""
    try:
        async with asyncio.timeout(timeout_s):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def use_orjson(connection: PlainConnection) -> None:
    """Encodes `jsonb` parameters from, and decodes columns to, plain Python values."""
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: _JSONB_VERSION + orjson.dumps(value),
        decoder=lambda encoded: orjson.loads(encoded[1:]),
        format="binary",
    )


async def _keep_session(_connection: Any) -> None:
    # No query changes session state, and asyncpg rolls an open transaction back before it calls this. Its own reset
    # would cost every unit of work one more round trip.
    return None


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

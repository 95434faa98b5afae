"""The connections of this process to PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import asyncpg
import orjson

from sql.errors import DRIVER_ERRORS, raise_translated
from sql.execution.turns import Patience, Turns

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    DriverPool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    PlainConnection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    LentConnection: TypeAlias = PoolConnectionProxy[asyncpg.Record]
    SqlConnection: TypeAlias = PlainConnection | LentConnection
else:  # asyncpg's classes are generic in its stubs only
    DriverPool = asyncpg.Pool
    PlainConnection = asyncpg.Connection
    LentConnection = asyncpg.Connection
    SqlConnection = asyncpg.Connection

KEPT_S: Final = 60.0
"""How long a connection is kept here between statements before asyncpg's pool looks after it again."""

PATIENCE: Final = Patience(stalled_s=10.0, in_all_s=10.0)
"""Of whoever does something once, at a start."""

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
    on_connected: Callable[[PlainConnection], Awaitable[None]] | None = None,
) -> "Pool":
    """Opens `min_size` connections; the pool opens more, up to `max_size`, when they are needed.

    Each is passed to `on_connected` before its first use.

    Waits somewhat longer for an answer than `statement_timeout_ms`, which the server keeps itself where it stands among
    its session settings. Raises Unavailable when PostgreSQL cannot be reached.
    """

    async def prepare(connection: PlainConnection) -> None:
        await use_orjson(connection)
        if on_connected is not None:
            await on_connected(connection)

    try:
        pool = await asyncpg.create_pool(
            plain_url(database_url),
            min_size=min_size,
            max_size=max_size,
            timeout=connect_timeout_s,
            # The server ends a slow statement; this ends the wait for a server that does not respond.
            command_timeout=statement_timeout_ms / 1000 + 2,
            max_cached_statement_lifetime=0,
            init=prepare,
            reset=_keep_session,
            **connection_options(named_statements=named_statements),
        )
    except DRIVER_ERRORS as error:
        raise_translated(error)
    return Pool(pool, max_size)


async def close_pool(pool: "Pool", *, timeout_s: float) -> None:
    """Closes all connections; those still busy after `timeout_s` are terminated."""
    await pool.close(timeout_s=timeout_s)


class Pool:
    """Lends connections, at most `max_size` at a time; whoever asks for one of them in vain queues.

    asyncpg's pool opens, inspects and closes them, and it takes back every connection on which something went wrong. It
    creates tasks and timers each time, so connections that served well are kept here for the next statement; once in
    KEPT_S all of them go back, for their age and their idle time to be looked at.
    """

    def __init__(self, source: DriverPool, max_size: int) -> None:
        self._source = source
        self._turns = Turns(max_size)
        self._idle: list[LentConnection] = []
        self._kept: set[LentConnection] = set()
        """Those that come back here and not to asyncpg's pool, lent ones too."""
        self._return_timer: asyncio.TimerHandle | None = None
        self._releases: set[asyncio.Task[None]] = set()
        self._is_closing = False

    async def take(self, patience: Patience) -> LentConnection:
        """A connection until `give_back`. Raises Unavailable where none comes in time, or none can be opened."""
        if not self._turns.take_free():
            await self._turns.wait(patience)
        try:
            while self._idle:
                connection = self._idle.pop()
                if _is_open(connection):
                    return connection
                self._kept.discard(connection)
                self._release(connection)
            return await self._acquire(patience)
        except BaseException:
            self._turns.give_back()
            raise

    def give_back(self, connection: LentConnection, *, sound: bool) -> None:
        """`sound` is False where something interrupted a statement, or may have: asyncpg then waits for its end, rolls
        back what is left, or closes the connection. The next one in the queue gets it, or another, after that.
        """
        if sound and connection in self._kept and _is_open(connection) and not connection.is_in_transaction():
            self._idle.append(connection)
            self._turns.give_back()
        else:
            self._kept.discard(connection)
            self._release(connection).add_done_callback(lambda _: self._turns.give_back())

    @asynccontextmanager
    async def lend(self, patience: Patience = PATIENCE) -> AsyncIterator[LentConnection]:
        """Lends a connection for the block, which may raise whatever asyncpg raises."""
        connection = await self.take(patience)
        sound = False
        try:
            yield connection
            sound = True
        finally:
            self.give_back(connection, sound=sound)

    async def renew(self) -> None:
        """Has every connection made anew before it serves again; those that are lent, once they come back."""
        await self._source.expire_connections()
        self._return_all()

    async def close(self, *, timeout_s: float) -> None:
        """Closes all connections; those still busy after `timeout_s` are terminated."""
        self._is_closing = True
        if self._return_timer is not None:
            self._return_timer.cancel()
        self._return_all()
        try:
            async with asyncio.timeout(timeout_s):
                await self._source.close()
        except TimeoutError:
            self._source.terminate()
        await asyncio.gather(*self._releases)

    async def _acquire(self, patience: Patience) -> LentConnection:
        try:
            connection = await self._source.acquire(timeout=patience.stalled_s)
        except DRIVER_ERRORS as error:
            raise_translated(error)
        if not self._is_closing:
            self._kept.add(connection)
            if self._return_timer is None:
                self._return_timer = asyncio.get_running_loop().call_later(KEPT_S, self._return_all)
        return connection

    def _return_all(self) -> None:
        self._return_timer = None
        self._kept.clear()
        idle, self._idle = self._idle, []
        for connection in idle:
            self._release(connection)

    def _release(self, connection: LentConnection) -> asyncio.Task[None]:
        release = asyncio.get_running_loop().create_task(self._give_to_source(connection))
        self._releases.add(release)
        release.add_done_callback(self._releases.discard)
        return release

    async def _give_to_source(self, connection: LentConnection) -> None:
        with suppress(*DRIVER_ERRORS):  # a connection that it cannot reset is closed, and another opened when needed
            await self._source.release(connection)


def _is_open(connection: LentConnection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:  # asyncpg's pool has noticed the loss and taken the connection back
        return False


def connection_options(*, named_statements: bool) -> dict[str, Any]:
    """What asyncpg needs to know for every connection of the product. All other settings stand in the database."""
    return {
        "connection_class": TypeCachingConnection if named_statements else UnnamedStatements,
        # Every query stays prepared: there are fewer than this, and PostgreSQL replans when tables change.
        "statement_cache_size": 512 if named_statements else 0,
        "server_settings": {"application_name": "rookery"},
    }


class TypeCachingConnection(PlainConnection):
    """Learns once per process how the types are built that every PostgreSQL has, as `bigint[]`.

    asyncpg asks on each connection, with a statement that takes PostgreSQL longer to plan than all else that a new
    connection needs.
    """

    _known: ClassVar[dict[frozenset[int], Any]] = {}

    async def _introspect_types(self, wanted: Collection[int], *timeout: Any) -> tuple[Any, Any]:
        oids = frozenset(wanted)
        if oids in self._known:
            return self._known[oids], _NOT_ASKED
        types, statement = await super()._introspect_types(wanted, *timeout)  # type: ignore[misc]  # not in the stubs
        if max(oids) < _FIRST_OID_OF_INITDB:
            self._known[oids] = types
        return types, statement


_FIRST_OID_OF_INITDB: Final = 10_000
"""Smaller ones are the same in every database of every server."""
_NOT_ASKED: Final = SimpleNamespace(name="not asked")
"""In place of asyncpg's statement; a name says that it has replaced no other unnamed statement."""


class UnnamedStatements(TypeCachingConnection):
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

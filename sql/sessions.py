"""What holds for every session at PostgreSQL, whichever client it serves.

A pooler refuses settings that a connection brings along when it begins, and serves a client's next transaction by
another session: so the settings stand in the database, and no query leaves anything behind in its session.
"""

import asyncio
import datetime
from collections.abc import Mapping
from contextlib import suppress
from time import monotonic
from typing import Final, NamedTuple, Protocol

import asyncpg

from sql.errors import DRIVER_ERRORS, DatabaseError, Unavailable, is_session_lost, raise_translated
from sql.execution.binding import bind_queries
from sql.pool import PlainConnection, Pool, connection_options, plain_url

MIGRATION_LOCK: Final = 0x524F4F4B  # "ROOK"
RENEWAL_S: Final = 5.0
RENEWAL_STEP_S: Final = 0.02
STORE_TRIES: Final = 5


class EndedRow(NamedTuple):
    """Of the sessions of all our processes that began up to `began_before`, how many were ended, and how many not."""

    began_before: datetime.datetime
    is_own_older: bool
    busy: int
    ended: int


class SessionQueries(Protocol):
    async def backend_id(self) -> int: ...

    async def store_settings(self, *, names: list[str], settings: list[str], lock_key: int) -> bool: ...

    async def end_sessions(self, *, began_before: datetime.datetime | None) -> EndedRow: ...

    async def end_own_session(self) -> bool: ...

    async def lift_timeouts(self) -> int: ...

    async def note_epoch(self) -> bool: ...


class SessionLimits(NamedTuple):
    """Above them PostgreSQL cancels a statement, or ends a transaction that is idle."""

    statement_timeout_ms: int
    idle_in_transaction_timeout_ms: int

    def settings(self) -> dict[str, str]:
        return {
            "TimeZone": "UTC",
            "jit": "off",
            # A plan for each length of an array costs more than it gains.
            "plan_cache_mode": "force_generic_plan",
            # Pages are read from memory or flash: random reads cost about as much as sequential ones.
            "random_page_cost": "1.1",
            "statement_timeout": str(self.statement_timeout_ms),
            "idle_in_transaction_session_timeout": str(self.idle_in_transaction_timeout_ms),
        }


session_queries = bind_queries(SessionQueries, "sessions")


async def store_session_settings(pool: Pool, limits: SessionLimits) -> bool:
    """Stores the settings for all new sessions of this user in this database; returns whether they were others before.

    The connections of the pool are made anew then, as each is free. Raises Unavailable.
    """
    tries_left = STORE_TRIES
    while True:
        tries_left -= 1
        try:
            return await _store_settings(pool, limits.settings())
        except Unavailable as error:
            # Another process that starts at the same time, and stored them, ends sessions that began before.
            if not tries_left or not is_session_lost(error):
                raise
        await asyncio.sleep(RENEWAL_STEP_S)


async def _store_settings(pool: Pool, settings: Mapping[str, str]) -> bool:
    try:
        async with pool.lend() as connection:
            changed: bool = await session_queries(connection).store_settings(
                names=list(settings), settings=list(settings.values()), lock_key=MIGRATION_LOCK
            )
        if changed:
            await pool.renew()
    except DRIVER_ERRORS as error:
        raise_translated(error)
    return changed


async def note_epoch(connection: PlainConnection) -> None:
    """Begins a new epoch of stamps where the history of the database is another one than before.

    For every new connection: a restored, recovered or promoted database gives transaction ids again, and is reached by
    new connections only. Behind a pooler they may be those of the pooler, so workers look again and again.
    """
    await session_queries(connection).note_epoch()


async def renew_sessions(pool: Pool) -> None:
    """Ends the sessions of all our processes in this database, also those that a pooler keeps, each while it is idle.

    Those that are busy, or only beginning, are looked at again until RENEWAL_S have passed; busier ones go on as they
    are.
    """
    began_before: datetime.datetime | None = None
    deadline_s = monotonic() + RENEWAL_S
    is_last = False
    while not is_last:
        is_last = monotonic() > deadline_s
        with suppress(DatabaseError, *DRIVER_ERRORS):  # a connection of the pool may be one that was just ended
            async with pool.lend() as connection:
                queries = session_queries(connection)
                row: EndedRow = await queries.end_sessions(began_before=began_before)
                began_before = row.began_before
                is_last |= not row.busy
                if is_last and row.is_own_older:
                    await queries.end_own_session()
        if not is_last:
            await asyncio.sleep(RENEWAL_STEP_S)


class StatementsLost(Exception):
    """The pooler gives a client's next transaction to another session, without the statements that it has prepared."""


async def refuse_lost_statements(database_url: str) -> None:
    """Raises StatementsLost; Unavailable where PostgreSQL cannot be reached.

    Without this check such a pooler would answer some commands with errors, and could run one statement for another.
    """
    try:
        one = await _connect(database_url)
        try:
            other = await _connect(database_url)
            try:
                await _swap_sessions(one, other)
            finally:
                await other.close()
        finally:
            await one.close()
    except DRIVER_ERRORS as error:
        raise_translated(error)


async def _connect(database_url: str) -> PlainConnection:
    connection: PlainConnection = await asyncpg.connect(
        plain_url(database_url), **connection_options(named_statements=True)
    )
    return connection


async def _swap_sessions(one: PlainConnection, other: PlainConnection) -> None:
    """Runs a prepared statement again while its session is busy with a transaction of another connection."""
    prepared_in = await session_queries(one).backend_id()
    async with other.transaction():
        busy = await session_queries(other).backend_id()
        if busy != prepared_in:  # each connection has a session of its own
            return
        try:
            await session_queries(one).backend_id()
        except Unavailable as error:
            if isinstance(error.__cause__, asyncpg.InvalidSQLStatementNameError):
                raise StatementsLost(str(error)) from error
            raise

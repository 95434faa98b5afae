"""Brings the schema of a database up to the files in `migrations/`."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import asyncpg
from pogo_core.error import BadMigrationError
from pogo_core.migration import Migration, topological_sort
from pogo_core.util.sql import ensure_pogo_sync, migration_applied, read_migrations

from sql.errors import DRIVER_ERRORS, raise_translated
from sql.execution.binding import bind_queries
from sql.ledger import LedgerQueries
from sql.pool import PlainConnection, connection_options, plain_url
from sql.sessions import MIGRATION_LOCK, session_queries

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_SCHEMA: Final = "public"
_LOCK_POLL_S: Final = 0.05
_LOG: Final = logging.getLogger(__name__)


class MigrationFailed(Exception):
    """A file is invalid, was edited after it was applied, or could not be applied; the message says which."""


class _Ledger(NamedTuple):
    connection: PlainConnection
    queries: LedgerQueries


async def migrate(database_url: str, *, folder: Path = MIGRATIONS, lock_timeout_s: float = 120) -> int:
    """Applies the files that are new to the database, each in its transaction; returns their number.

    Any number of nodes may call it at once, also through a pooler: each file is applied by one of them, while the
    others wait. Raises MigrationFailed (a bad or an edited file, or another node's lock held too long) and Unavailable.
    """
    applied = 0
    async with _open_ledger(database_url) as ledger:
        async with _locked(ledger, lock_timeout_s):
            await ensure_pogo_sync(ledger.connection)
            await ledger.queries.create_ledger()
        try:
            found = await read_migrations(folder, None, schema_name=_SCHEMA)
            for migration in topological_sort([each.load() for each in found]):
                async with _locked(ledger, lock_timeout_s):
                    applied += await _apply(ledger, folder, migration)
        except BadMigrationError as error:
            raise MigrationFailed(f"{error}: {error.__cause__}" if error.__cause__ else str(error)) from error
    return applied


async def pending(database_url: str, *, folder: Path = MIGRATIONS) -> list[str]:
    """The names of the files that are new to the database, oldest first. Changes nothing.

    Raises MigrationFailed when an applied file was edited, and Unavailable.
    """
    async with _open_ledger(database_url) as ledger:
        if not await ledger.queries.has_ledger():
            return sorted(_contents(folder))
        return sorted(_contents(folder).keys() - await _check(ledger, folder))


@asynccontextmanager
async def _open_ledger(database_url: str) -> AsyncIterator[_Ledger]:
    try:
        connection = await asyncpg.connect(plain_url(database_url), **connection_options(named_statements=False))
    except DRIVER_ERRORS as error:
        raise_translated(error)
    try:
        yield _Ledger(connection, bind_queries(LedgerQueries, "ledger")(connection))
    finally:
        await connection.close()


@asynccontextmanager
async def _locked(ledger: _Ledger, timeout_s: float) -> AsyncIterator[None]:
    """A transaction without time limits, in which no other process migrates."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + timeout_s
    while True:
        async with ledger.connection.transaction():
            # Not waited for in the server: the lock of a pooler's session would outlive a client that has gone.
            if await ledger.queries.try_lock(lock_key=MIGRATION_LOCK):
                await session_queries(ledger.connection).lift_timeouts()
                yield
                return
        if loop.time() >= until_s:
            raise MigrationFailed(f"another process has been migrating this database for {timeout_s:.0f} s")
        await asyncio.sleep(_LOCK_POLL_S)


async def _apply(ledger: _Ledger, folder: Path, migration: Migration) -> bool:
    """Applies a file in this transaction; returns False where another process has done it."""
    if migration.id in await _check(ledger, folder):
        return False
    if not migration.use_transaction:
        raise MigrationFailed(f"{migration.id}.sql asks for no transaction, in which the migration lock is held")
    _LOG.info("Applying %s", migration.id)
    try:
        await migration.apply(ledger.connection)
    except DRIVER_ERRORS as error:
        raise MigrationFailed(f"Failed to apply {migration.id}: {error}") from error
    await migration_applied(ledger.connection, migration.id, migration.hash, schema_name=_SCHEMA)
    content_hash = _contents(folder)[migration.id]
    await ledger.queries.record_content(migration_id=migration.id, content_hash=content_hash)
    return True


async def _check(ledger: _Ledger, folder: Path) -> set[str]:
    """The applied files. pogo-migrate keeps hashes of names only, so the contents are compared here."""
    contents = _contents(folder)
    applied = {row.migration_id: row.content_hash for row in await ledger.queries.list_applied()}
    for name, content_hash in applied.items():
        if name in contents and content_hash != contents[name]:
            raise MigrationFailed(f"{name}.sql was edited after it was applied here: undo that, add a new file")
    return set(applied)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.stem: hashlib.sha256(path.read_bytes()).digest() for path in folder.glob("*.sql")}

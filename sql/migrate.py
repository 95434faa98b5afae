"""Brings the schema of a database up to the files in `migrations/`."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import asyncpg
from pogo_core.error import BadMigrationError
from pogo_core.util import migrate as pogo
from pogo_core.util.sql import ensure_pogo_sync

from sql.binding import bind_queries
from sql.errors import DRIVER_ERRORS, raise_translated
from sql.ledger import LedgerQueries
from sql.pool import PlainConnection, plain_url

MIGRATIONS: Final = Path(__file__).parent / "migrations"

_LOCK_KEY: Final = 0x524F4F4B  # "ROOK"
_LOCK_POLL_S: Final = 0.05
_LOG: Final = logging.getLogger(__name__)


class MigrationFailed(Exception):
    """A file is invalid, was edited after it was applied, or could not be applied; the message says which."""


class _Progress(logging.LoggerAdapter[logging.Logger]):
    """Logs the warnings of pogo-migrate as information: it warns of each file that it applies."""

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.info(msg, *args, **kwargs)


class _Ledger(NamedTuple):
    connection: PlainConnection
    queries: LedgerQueries


async def migrate(database_url: str, *, folder: Path = MIGRATIONS, lock_timeout_s: float = 120) -> int:
    """Applies the files that are new to the database, each in its transaction; returns their number.

    Any number of nodes may call it at once: one applies the files, the others wait and then have nothing to do.
    Raises MigrationFailed (a bad or an edited file, or another node's lock held too long) and Unavailable.
    """
    async with _open_ledger(database_url) as ledger:
        await _lock(ledger, lock_timeout_s)
        await ensure_pogo_sync(ledger.connection)
        await ledger.queries.create_ledger()
        before = await _check(ledger, folder)
        try:
            await pogo.apply(ledger.connection, folder, schema_name="public", logger=_Progress(_LOG))
        except BadMigrationError as error:
            raise MigrationFailed(f"{error}: {error.__cause__}" if error.__cause__ else str(error)) from error
        contents = _contents(folder)
        await ledger.queries.record_contents(migration_ids=list(contents), content_hashes=list(contents.values()))
        return len(contents.keys() - before)


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
        connection = await asyncpg.connect(plain_url(database_url))
    except DRIVER_ERRORS as error:
        raise_translated(error)
    try:
        yield _Ledger(connection, bind_queries(LedgerQueries, "ledger")(connection))
    finally:
        # Closing releases the lock too.
        await connection.close()


async def _lock(ledger: _Ledger, timeout_s: float) -> None:
    # Polled: a session that waits for a lock has a snapshot, and CREATE INDEX CONCURRENTLY waits for all snapshots.
    try:
        async with asyncio.timeout(timeout_s):
            while not await ledger.queries.try_lock(lock_key=_LOCK_KEY):
                await asyncio.sleep(_LOCK_POLL_S)
    except TimeoutError:
        raise MigrationFailed(f"another process has been migrating this database for {timeout_s:.0f} s") from None


async def _check(ledger: _Ledger, folder: Path) -> set[str]:
    """The applied files. pogo-migrate keeps hashes of names only, so the contents are compared here."""
    contents = _contents(folder)
    applied = {row.migration_id: row.content_hash for row in await ledger.queries.list_applied()}
    for name, content_hash in applied.items():
        if name in contents and content_hash is not None and content_hash != contents[name]:
            raise MigrationFailed(f"{name}.sql was edited after it was applied here: undo that, add a new file")
    return set(applied)


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.stem: hashlib.sha256(path.read_bytes()).digest() for path in folder.glob("*.sql")}

"""Runs the embedded servers while any command of this checkout needs them."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from server.dev.embedded_binaries import EmbeddedError
from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey
from server.dev.embedded_watch import EmbeddedServer, restarted_when_dead

__all__ = ["EmbeddedError", "EmbeddedUrls", "embedded_servers", "in_use"]


@dataclass(frozen=True)
class EmbeddedUrls:
    """The addresses of the embedded servers; None for one that was not requested."""

    database_url: str | None
    redis_url: str | None


@contextmanager
def embedded_servers(
    folder: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    durable: bool = True,
    report: Callable[[str], None] = lambda text: None,
) -> Iterator[EmbeddedUrls]:
    """Servers with their data in `folder` run inside the block; one that dies is started again.

    Commands share them: the first one starts them, the last one stops them. A command that was killed no longer counts,
    and its servers are used by the next command. `report` gets a line before each slow step, and, from another thread,
    when a server dies. Raises EmbeddedError with one line that says what to do.
    """
    database = EmbeddedPostgres(folder, durable=durable) if postgres else None
    cache = EmbeddedValkey(folder) if valkey else None
    with _exclusive(folder):
        users = _open(folder / "embedded.users")
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if database is not None and not database.running():
                report("starting PostgreSQL")
                database.start()
            if cache is not None and not cache.running():
                report("starting Valkey")
                cache.start()
        except BaseException:
            _leave(folder, users, database, cache)
            raise
    watched: dict[str, EmbeddedServer] = {}
    if database is not None:
        watched["PostgreSQL"] = database
    if cache is not None:
        watched["Valkey"] = cache
    try:
        with restarted_when_dead(watched, lock=partial(_exclusive, folder), report=report):
            yield EmbeddedUrls(database.url if database else None, cache.url if cache else None)
    finally:
        with _exclusive(folder):
            _leave(folder, users, database, cache)


def in_use(folder: Path) -> bool:
    """Whether a running command uses the embedded servers of `folder`."""
    if not (folder / "embedded.users").exists():
        return False
    with _exclusive(folder):
        users = _open(folder / "embedded.users")
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(users)
    return False


def _leave(folder: Path, users: int, database: EmbeddedPostgres | None, cache: EmbeddedValkey | None) -> None:
    """Called inside `_exclusive`. The users are counted by the kernel: a file lock ends with its process."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # another command still uses the servers and will stop them
        for server in (cache, database):
            if server is not None:
                server.detach()
    else:
        # stops both: another command may have started the one that this command does not use
        (cache or EmbeddedValkey(folder)).stop()
        (database or EmbeddedPostgres(folder)).stop()
    finally:
        os.close(users)


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Only one command at a time starts or stops servers."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _open(folder / "embedded.turn")
    except OSError as error:
        raise EmbeddedError(f"cannot keep data in {folder}: {error.strerror or error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

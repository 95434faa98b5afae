"""Runs the embedded servers for as long as any command of this checkout needs them."""

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
from server.dev.embedded_watch import EmbeddedServer, revived

__all__ = ["EmbeddedError", "EmbeddedUrls", "embedded_servers", "in_use"]


@dataclass(frozen=True)
class EmbeddedUrls:
    """Where the embedded servers listen; None for one that was not asked for."""

    database_url: str | None
    redis_url: str | None


@contextmanager
def embedded_servers(
    folder: Path,
    *,
    postgres: bool = True,
    valkey: bool = True,
    durable: bool = True,
    tell: Callable[[str], None] = lambda text: None,
) -> Iterator[EmbeddedUrls]:
    """Servers with their data in `folder` are up inside the block.

    Commands share them: who comes first starts them, who leaves last stops them. A command that was killed counts as
    gone, so its servers are found by the next one. One that dies is started again. `tell` is called before each thing
    that takes time, and when a server dies, then from another thread.
    Raises EmbeddedError with one line that says what to do.
    """
    database = EmbeddedPostgres(folder, durable=durable) if postgres else None
    cache = EmbeddedValkey(folder) if valkey else None
    with _turn(folder):
        users = _open(folder / "embedded.users")
        fcntl.flock(users, fcntl.LOCK_SH)
        try:
            if database is not None and not database.running():
                tell("starting PostgreSQL")
                database.start()
            if cache is not None and not cache.running():
                tell("starting Valkey")
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
        with revived(watched, turn=partial(_turn, folder), tell=tell):
            yield EmbeddedUrls(database.url if database else None, cache.url if cache else None)
    finally:
        with _turn(folder):
            _leave(folder, users, database, cache)


def in_use(folder: Path) -> bool:
    """Whether some living command uses the embedded servers of `folder`."""
    if not (folder / "embedded.users").exists():
        return False
    with _turn(folder):
        users = _open(folder / "embedded.users")
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(users)
    return False


def _leave(folder: Path, users: int, database: EmbeddedPostgres | None, cache: EmbeddedValkey | None) -> None:
    """Called in turn. The kernel keeps the count of users: a lock dies with its process, however that ends."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # somebody else still works with them and will stop them
        for server in (cache, database):
            if server is not None:
                server.let_go()
    else:
        # another command may have started the one that this one did not ask for
        (cache or EmbeddedValkey(folder)).stop()
        (database or EmbeddedPostgres(folder)).stop()
    finally:
        os.close(users)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One command at a time starts or stops servers."""
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

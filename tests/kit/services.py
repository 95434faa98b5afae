"""The real PostgreSQL and Valkey that tests use."""

import asyncio
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import redis

from server.dev.embedded_postgres import EmbeddedPostgres
from server.dev.embedded_valkey import EmbeddedValkey

T = TypeVar("T")
_PREFIX = "rookery-tests-"
_STARTING_S = 60.0


@contextmanager
def run_folder() -> Iterator[Path]:
    """A folder for all workers of one test run; it and the servers in it are removed afterwards.

    Also removes what killed runs left behind, recognised by their released locks.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if left.stat().st_uid == os.geteuid() and time.time() - left.stat().st_mtime > _STARTING_S:
            with open(left / "run.lock", "a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                _clear(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    with open(folder / "run.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        try:
            yield folder
        finally:
            _clear(folder)


def _clear(folder: Path) -> None:
    for place in [folder, *(path.parent for path in folder.glob("*/valkey.sock"))]:
        EmbeddedValkey(place).stop()
    EmbeddedPostgres(folder, durable=False).stop()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Lets one worker of a test run into the block at a time."""
    with open(path, "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its result from synchronous code, in a thread, apart from the event loop of the tests."""
    results: list[T] = []
    failures: list[BaseException] = []

    def target() -> None:
        try:
            results.append(asyncio.run(work))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def url_of_database(admin_url: str, name: str) -> str:
    return urlunsplit(urlsplit(admin_url)._replace(path=f"/{name}"))


async def execute(database_url: str, *statements: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def database_clone(admin_url: str, template: str, name: str) -> Iterator[str]:
    """The URL of a fresh copy of the template; the copy is dropped afterwards, even if clients are still connected."""
    run_async(execute(admin_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY = file_copy"))
    try:
        yield url_of_database(admin_url, name)
    finally:
        run_async(execute(admin_url, f"DROP DATABASE {name} WITH (FORCE)"))


class Valkey:
    """The Valkey of this worker, for tests that stop and start it. It loses all data when it stops."""

    def __init__(self, folder: Path) -> None:
        self._server = EmbeddedValkey(folder)
        self.url = self._server.url

    def start(self) -> None:
        self._server.start()

    def stop(self) -> None:
        self._server.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def flush(self) -> None:
        client = redis.Redis.from_url(self.url)
        try:
            client.flushall()
        finally:
            client.close()

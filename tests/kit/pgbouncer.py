"""A real PgBouncer in transaction mode before the PostgreSQL of the tests."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from server.dev.unprivileged import ordinary_user

STARTING_S = 20.0
CARRIES_STATEMENTS = (1, 21)
"""From this version on PgBouncer carries prepared statements from one session to another."""
SESSIONS = 6
_PORT = 6432


def program() -> Path:
    """PGBOUNCER, else the one of the machine. Without one the test is skipped; in CI, which installs it, it fails."""
    found = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no PgBouncer here: apt install pgbouncer")
    return Path(found)


def version() -> tuple[int, int]:
    told = subprocess.run([program(), "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = re.findall(r"\d+", told)[:2]
    return int(major), int(minor)


@contextmanager
def pgbouncer(admin_url: str, *, statements: int = 0) -> Iterator[str]:
    """The query of a database URL that leads through it; it carries up to `statements` prepared statements a client."""
    user = ordinary_user()
    with TemporaryDirectory(prefix="pgbouncer-") as made:
        folder = Path(made)
        if user.uid is not None:
            os.chown(folder, user.uid, user.uid)
        _configure(folder, admin_url, statements)
        with open(folder / "pgbouncer.log", "wb") as log:
            server = user.spawn([str(program()), str(folder / "pgbouncer.ini")], cwd=folder, log=log)
        try:
            deadline = time.monotonic() + STARTING_S
            while not _listens(folder / f".s.PGSQL.{_PORT}"):
                assert server.poll() is None and time.monotonic() < deadline, (folder / "pgbouncer.log").read_text()
                time.sleep(0.01)
            yield f"?host={quote(str(folder))}&port={_PORT}"
        finally:
            server.terminate()
            server.wait()


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def _configure(folder: Path, admin_url: str, statements: int) -> None:
    address = urlsplit(admin_url)
    (folder / "users.txt").write_text(f'"{address.username}" ""\n')
    settings = {
        "pool_mode": "transaction",
        "default_pool_size": SESSIONS,
        "max_client_conn": 500,
        "listen_port": _PORT,
        "unix_socket_dir": folder,
        "auth_type": "trust",
        "auth_file": folder / "users.txt",
    }
    if version() >= CARRIES_STATEMENTS:
        settings["max_prepared_statements"] = statements
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={parse_qs(address.query)['host'][0]}\n[pgbouncer]\n"
        + "".join(f"{name} = {value}\n" for name, value in settings.items())
    )

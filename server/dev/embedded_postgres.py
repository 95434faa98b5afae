"""Runs a private PostgreSQL in a folder, for users without one of their own."""

import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from server.dev.embedded_binaries import EmbeddedError, postgres_binaries, postgres_major
from server.dev.unprivileged import SystemUser, ordinary_user

USER = DATABASE = "rookery"
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 20.0
SOCKET_PATH_MAX_BYTES = 106
CONNECTIONS_MAX = "300"
"""Enough for the nodes of a local cluster: each may open 11."""
_SOCKET_NAME = ".s.PGSQL.5432"


class EmbeddedPostgres:
    """PostgreSQL with its data in `folder`/postgres, reachable only over a socket that other users cannot open.

    It survives the process that started it, also when that is killed; `start` uses one that runs already. Callers must
    exclude each other (see `embedded.py`). `durable=False` is faster, and loses data in a power cut. For root, where
    user namespaces are blocked, the data lies in a folder below /var/lib that belongs to `nobody`, with a symbolic link
    in its usual place.
    """

    def __init__(self, folder: Path, *, durable: bool = True, user_namespaces: bool = True) -> None:
        self._folder = folder.resolve()
        self._durable = durable
        self._user_namespaces = user_namespaces
        self._process: subprocess.Popen[bytes] | None = None
        self._log_path = self._folder / "postgres.log"
        self.data = self._folder / "postgres"

    @property
    def url(self) -> str:
        """Its address, as asyncpg and libpq read it."""
        return f"postgresql://{USER}@/{DATABASE}?host={quote(str(self._socket_folder()))}"

    def running(self) -> bool:
        return self._status() == "ready"

    def died(self) -> bool:
        """Whether there is no server process; a server that starts, stops or recovers has not died."""
        return self._status() == ""

    def start(self) -> None:
        """Returns when it is ready; creates the database when there is none. Raises EmbeddedError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self.running():
                return
            binaries = postgres_binaries()
            identity = self._identity()
            if identity.uid is not None:
                binaries = self._share_with(identity.uid, binaries)
            if not (self.data / "PG_VERSION").exists():
                self._initialise(binaries, identity)
            self._check_version(binaries)
            self._clear_stale_pid()
            self._launch(binaries, identity)
            self._make_database(binaries, identity)
        except OSError as error:
            raise _failure(f"cannot keep a database in {self._folder}", error.strerror or str(error)) from error

    def stop(self) -> None:
        """Closes open connections and returns when it has stopped. Does nothing when it is not running."""
        pid = self._pid()
        if pid is None or not _works_in(pid, self.data.resolve()):
            return
        os.kill(pid, signal.SIGINT)
        if self._process is not None and self._process.pid == pid:
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
            return
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _works_in(pid, self.data.resolve()) and time.monotonic() < deadline:
            time.sleep(0.02)

    def detach(self) -> None:
        """Leaves it running, for another command to stop."""
        if self._process is not None:
            self._process.returncode = 0  # otherwise Popen warns that the process still runs
            self._process = None

    def _identity(self) -> SystemUser:
        # data that belongs to `nobody` stays so, also when user namespaces become available
        return ordinary_user(user_namespaces=self._user_namespaces and not self.data.is_symlink())

    def _socket_folder(self) -> Path:
        if self.data.is_symlink():
            return self.data.resolve().parent / "socket"
        inside = self._folder / "socket"
        if len(os.fsencode(inside / _SOCKET_NAME)) <= SOCKET_PATH_MAX_BYTES:
            return inside
        return Path(tempfile.gettempdir()) / f"rookery-{_short_name(self._folder)}"

    def _status(self) -> str:
        """The status in the server's pid file: `starting`, `ready`, `stopping`; empty when there is no server."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            pid = int(lines[0])
        except (OSError, ValueError, IndexError):
            return ""
        if not _works_in(pid, self.data.resolve()):
            return ""
        return lines[7].strip() if len(lines) > 7 else "starting"

    def _pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def _share_with(self, uid: int, binaries: Path) -> Path:
        """Puts data and programs where `uid` can read them, also when the checkout is in a private home folder."""
        place = Path("/var/lib") / f"rookery-{_short_name(self._folder)}"
        place.mkdir(mode=0o755, exist_ok=True)
        if not self.data.is_symlink():
            if self.data.exists():
                raise EmbeddedError(
                    f"PostgreSQL does not run as root and user namespaces are blocked here, but {self.data} was made "
                    "with them: run as the user who made it, or start anew with ./run reset"
                )
            self.data.symlink_to(place / "postgres")
        if not binaries.is_relative_to("/usr"):
            copied = place / f"postgresql-{postgres_major(binaries)}"
            if not copied.exists():
                unfinished = place / "postgresql.new"
                shutil.rmtree(unfinished, ignore_errors=True)
                shutil.copytree(binaries.parent, unfinished, symlinks=True)
                unfinished.rename(copied)
            binaries = copied / "bin"
        self._log_path = place / "postgres.log"
        return binaries

    def _initialise(self, binaries: Path, identity: SystemUser) -> None:
        target = self.data.resolve()
        if target.exists() and any(target.iterdir()):
            raise self._damaged("it holds files but no database")
        unfinished = target.with_name(
            "postgres.new"
        )  # renamed at the end: an interrupted start leaves no incomplete database
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if identity.uid is not None:
            os.chown(unfinished, identity.uid, identity.uid)
        command = [str(binaries / "initdb"), "-D", str(unfinished), "-U", USER, "--auth=trust", "--encoding=UTF8"]
        # sorts by code point: indexes can serve prefixes, and no system update changes the order
        command += ["--locale=C.UTF-8", "--lc-collate=C", *([] if self._durable else ["--no-sync"])]
        done = identity.run(command, cwd=target.parent)
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            raise _failure(f"cannot make a database in {self._folder}", _reason(done.stdout))
        if target.exists():
            target.rmdir()
        unfinished.rename(target)

    def _check_version(self, binaries: Path) -> None:
        try:
            made_by = int((self.data / "PG_VERSION").read_text())
        except ValueError as error:
            raise self._damaged("its PG_VERSION is not a number") from error
        if made_by != (have := postgres_major(binaries)):
            raise EmbeddedError(
                f"{self.data} was made by PostgreSQL {made_by}, here is {have}: install {made_by}, "
                "or start anew with ./run reset"
            )

    def _clear_stale_pid(self) -> None:
        """Removes the pid files of a server that was killed: its pid may belong to another program now."""
        if self._process is not None:
            self._process.poll()
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while _is_used(self.data.resolve()):  # the children of a killed server end by themselves
            if time.monotonic() > deadline:
                raise EmbeddedError(f"another PostgreSQL still uses {self.data}: stop it, then start again")
            time.sleep(0.02)
        for path in (self.data / "postmaster.pid", self._socket_folder() / f"{_SOCKET_NAME}.lock"):
            path.unlink(missing_ok=True)

    def _launch(self, binaries: Path, identity: SystemUser) -> None:
        sockets = self._socket_folder()
        sockets.mkdir(mode=0o700, exist_ok=True)
        if sockets.stat().st_uid not in (os.geteuid(), identity.uid):
            raise EmbeddedError(f"{sockets} belongs to another user: remove it, then start again")
        if identity.uid is not None:
            os.chown(sockets, identity.uid, identity.uid)
        options = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{sockets}"',
            "timezone": "UTC",
            "max_connections": CONNECTIONS_MAX,
        }
        if not self._durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(binaries / "postgres"), "-D", str(self.data.resolve())]
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]
        log_start = self._log_path.stat().st_size if self._log_path.exists() else 0
        with open(self._log_path, "ab") as log:
            self._process = identity.spawn(command, cwd=self.data.resolve(), log=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.running():
            if self._process.poll() is not None:
                raise self._damaged(_reason(self._log_path.read_bytes()[log_start:].decode(errors="replace")))
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start within {START_TIMEOUT_S:.0f} s: see {self._log_path}")
            time.sleep(0.01)

    def _make_database(self, binaries: Path, identity: SystemUser) -> None:
        """Creates the database, or connects to it: PostgreSQL opens the files of a database only at a connection."""
        where = ["-h", str(self._socket_folder()), "-U", USER]
        made = self.data / "rookery-database-made"
        if made.exists():
            done = identity.run([str(binaries / "psql"), *where, "-d", DATABASE, "-c", ""], cwd=self.data.resolve())
        else:
            done = identity.run([str(binaries / "createdb"), *where, DATABASE], cwd=self.data.resolve())
        if done.returncode != 0 and "already exists" not in done.stdout:
            self.stop()
            raise self._damaged(_reason(done.stdout))
        made.touch()

    def _damaged(self, reason: str) -> EmbeddedError:
        return _failure(
            f"the database in {self.data} does not start",
            reason,
            f": restore it from a backup, or start anew with ./run reset; its log is {self._log_path}",
        )


def _failure(what: str, reason: str, way_out: str = "") -> EmbeddedError:
    if "No space left on device" in reason:
        return EmbeddedError("the disk is full: free some space (100 MB at least), then start again")
    return EmbeddedError(f"{what} ({reason}){way_out}")


def _short_name(folder: Path) -> str:
    return hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]


def _reason(output: str) -> str:
    """The most telling line of the output of a PostgreSQL program."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for word in ("No space left on device", "PANIC:", "FATAL:", "error:"):
        for line in lines:
            if word in line:
                return line.partition("FATAL:")[2].strip() or line
    return lines[-1] if lines else "it said nothing"


def _works_in(pid: int, folder: Path) -> bool:
    """Whether this process is alive and is the PostgreSQL of that folder (its working folder is its data folder)."""
    try:
        return os.readlink(f"/proc/{pid}/cwd") == str(folder)
    except PermissionError:
        try:
            return Path(f"/proc/{pid}/comm").read_text().strip() == "postgres"
        except OSError:
            return False
    except OSError:
        return False


def _is_used(folder: Path) -> bool:
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                if os.readlink(f"/proc/{entry.name}/cwd") == str(folder):
                    return True
            except OSError:
                continue  # the process has ended, or belongs to another user
    return False

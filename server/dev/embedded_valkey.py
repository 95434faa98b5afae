"""Runs a private Valkey in a folder, for users without a Redis of their own."""

import hashlib
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import quote

from server.dev.embedded_binaries import EmbeddedError, valkey_binary

START_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 10.0
SOCKET_PATH_MAX_BYTES = 106


class EmbeddedValkey:
    """Valkey that keeps nothing on disk, reachable only over a socket in `folder` that other users cannot open.

    It survives the process that started it, also when that is killed; `start` uses one that runs already. Callers must
    exclude each other (see `embedded.py`).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()
        self._process: subprocess.Popen[bytes] | None = None
        self._log_path = self._folder / "valkey.log"
        inside = self._folder / "valkey.sock"
        if len(os.fsencode(inside)) > SOCKET_PATH_MAX_BYTES:
            name = hashlib.sha256(os.fsencode(self._folder)).hexdigest()[:12]
            inside = Path(tempfile.gettempdir()) / f"rookery-{name}" / "valkey.sock"
        self._socket = inside

    @property
    def url(self) -> str:
        """Its address, as redis-py reads it."""
        return f"unix://{quote(str(self._socket))}"

    def running(self) -> bool:
        return self._send(b"PING\r\n") == b"+PONG\r\n"

    def died(self) -> bool:
        """Whether nothing listens on its socket. A slow one has not died: a second one would take its socket away."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.setblocking(False)
            try:
                connection.connect(str(self._socket))
            except (ConnectionRefusedError, FileNotFoundError):
                return True
            except OSError:  # its backlog is full, or this process has too many files open
                return False
        return False

    def start(self) -> None:
        """Returns when it answers. Raises EmbeddedError."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if self.running():
                return
            self._launch(valkey_binary())
        except OSError as error:
            raise EmbeddedError(f"cannot run Valkey in {self._folder} ({error.strerror or error})") from error

    def stop(self) -> None:
        """Stops it; its content is lost, as in any restart. Does nothing when it is not running."""
        self._send(b"SHUTDOWN NOSAVE\r\n")
        started, self._process = self._process, None
        if started is not None and started.poll() is None:
            try:
                started.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()
            return
        # It was started by another command, perhaps after the one that was started here had died.
        deadline = time.monotonic() + STOP_TIMEOUT_S
        while self.running() and time.monotonic() < deadline:
            time.sleep(0.02)

    def detach(self) -> None:
        """Leaves it running, for another command to stop."""
        if self._process is not None:
            self._process.returncode = 0  # otherwise Popen warns that the process still runs
            self._process = None

    def _launch(self, binary: Path) -> None:
        self._socket.parent.mkdir(mode=0o700, exist_ok=True)
        if self._socket.parent.stat().st_uid != os.geteuid():
            raise EmbeddedError(f"{self._socket.parent} belongs to another user: remove it, then start again")
        options = {"port": "0", "unixsocket": str(self._socket), "unixsocketperm": "700", "dir": str(self._folder)}
        options |= {"save": "", "appendonly": "no", "daemonize": "no"}
        command = [str(binary)]
        for name, value in options.items():
            command += [f"--{name}", value]
        if self._process is not None:
            self._process.poll()
        with open(self._log_path, "wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # otherwise Ctrl-C would end it before the server has drained
                env={**os.environ, "LC_ALL": "C"},  # it does not start in a locale that is not installed
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self.running():
            if self._process.poll() is not None:
                lines = self._log_path.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
                raise EmbeddedError(f"Valkey does not start ({lines[-1].strip()}): its log is {self._log_path}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"Valkey did not start within {START_TIMEOUT_S:.0f} s: see {self._log_path}")
            time.sleep(0.01)

    def _send(self, command: bytes) -> bytes:
        """Sends one inline command; returns the beginning of the answer, empty when the server cannot be reached."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2.0)
            try:
                connection.connect(str(self._socket))
                connection.sendall(command)
                return connection.recv(4096)
            except OSError:
                return b""

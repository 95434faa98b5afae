"""The processes of a measurement: starting, ordering, measuring and ending them."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

from loadtest.server_start import free_port

CHECKOUT: Final = Path(__file__).parents[2]
START_S: Final = 30.0
STOP_S: Final = 10.0
_PROCESS_CPU_CLOCK: Final = 2
_LOOK_EVERY_S: Final = 0.05
_IDLE_S: Final = 0.002
_READ_BYTES: Final = 65_536


class BenchFailed(Exception):
    """A figure cannot be measured; the message says why in one line."""


class NotInstalled(Exception):
    """A program to compare with is not on this machine; the message says in one line how to install it."""


class LoggedProcess:
    """A process that is ended with its block. What it writes goes to `log`.

    `environment` is added to that of this process.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
        pipe: int = subprocess.DEVNULL,
        stop_s: float = STOP_S,
    ) -> None:
        """`pipe`: PIPE where it is also spoken to, over its standard input and output. It is killed if it does not
        end within `stop_s`.
        """
        self._stop_s = stop_s
        try:
            self._process = subprocess.Popen(
                command,
                stdin=pipe,
                stdout=pipe if pipe == subprocess.PIPE else log,
                stderr=log,
                text=True,
                cwd=CHECKOUT,
                env={**os.environ, "PYTHONPATH": str(CHECKOUT), **(environment or {})},
            )
        except OSError as error:
            raise BenchFailed(f"{command[0]} cannot be started: {error.strerror}") from None
        self.pid = self._process.pid
        self._terminated = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def terminate(self) -> None:
        """Asks the process to end, without waiting: several end sooner when all are asked first."""
        # only once: a process that is cleaning up may not be ready for a second signal
        if not self._terminated:
            self._terminated = True
            self._process.terminate()

    def stop(self) -> None:
        """Ends the process, by force where it does not end in time."""
        self.terminate()
        try:
            self._process.wait(self._stop_s)
        except subprocess.TimeoutExpired:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def kill(self) -> None:
        """Kills the process: the kernel closes all its sockets."""
        self._process.kill()
        self._process.wait()

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, timeout_s: float) -> None:
        """Waits until it has ended by itself. Raises BenchFailed when it does not."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BenchFailed(f"it did not end within {timeout_s:.0f} s") from None

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def cpu_s(self) -> float:
        """The CPU time of all threads of this process alone, in user and kernel mode."""
        return cpu_s(self.pid)

    def settle(self, *, within_s: float = 10.0) -> None:
        """Waits until it is nearly idle."""
        settle(self.cpu_s, within_s=within_s)


class ChildProcess(LoggedProcess):
    """A process that is told what to do, and tells what it did, in lines of JSON on its standard input and output.

    `log` gets its standard error; None: the terminal.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        log: IO[bytes] | None = None,
        stop_s: float = STOP_S,
    ) -> None:
        super().__init__(command, environment=environment, log=log, pipe=subprocess.PIPE, stop_s=stop_s)
        self._unread = b""

    def order(self, what: str, **arguments: object) -> dict[str, Any]:
        """Sends an order and waits until it is done. Raises BenchFailed for an order that failed."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps({"do": what, **arguments}) + "\n")
            pipe.flush()
        except BrokenPipeError:
            raise BenchFailed("its process has ended") from None
        answer: dict[str, Any] = json.loads(self.next_line(START_S * 2))
        if "failed" in answer:
            raise BenchFailed(answer["failed"])
        return answer

    def next_line(self, timeout_s: float) -> str:
        """The next line that it writes. Raises BenchFailed when it ends, or writes none in time."""
        output = self._process.stdout
        assert output is not None
        while b"\n" not in self._unread:
            with selectors.DefaultSelector() as selector:
                selector.register(output, selectors.EVENT_READ)
                if not selector.select(timeout_s):
                    raise BenchFailed(f"it did not respond for {timeout_s:.0f} s")
            read = os.read(output.fileno(), _READ_BYTES)
            if not read:
                raise BenchFailed("it has ended")
            self._unread += read
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()


class ServerProcess(ChildProcess):
    """A compared server on a free port of the loopback address. It serves once `ready` has returned."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        self.port = free_port()
        super().__init__((*command, "--port", str(self.port)), environment=environment)
        self.token: str | None = None

    def ready(self) -> None:
        """Waits until it serves. Raises BenchFailed if it does not."""
        self.token = json.loads(self.next_line(START_S)).get("token")

    def memory_kib(self) -> int:
        """Its resident memory after a garbage collection."""
        os.kill(self.pid, signal.SIGUSR2)
        self.settle()
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:"))

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def python_module(name: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs a module of this checkout."""
    return (sys.executable, "-P", "-m", name, *arguments)


def cpu_s(pid: int) -> float:
    """The CPU time of all threads of a process, in user and kernel mode."""
    # The id of another process's CPU clock is computed from its pid, as clock_getcpuclockid(3) does.
    return time.clock_gettime((~pid << 3) | _PROCESS_CPU_CLOCK)


def settle(used_s: Callable[[], float], *, within_s: float) -> None:
    """Waits until almost no CPU time is used any more."""
    until_s = time.monotonic() + within_s
    before_s = used_s()
    while time.monotonic() < until_s:
        time.sleep(_LOOK_EVERY_S)
        now_s = used_s()
        if now_s - before_s < _IDLE_S:
            return
        before_s = now_s

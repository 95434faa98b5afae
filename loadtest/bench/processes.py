"""The processes of a measurement: starting, ordering, measuring and ending them."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from loadtest.bench.servers import ServerSpec

CHECKOUT: Final = Path(__file__).parents[2]
START_S: Final = 30.0
STOP_S: Final = 10.0
_PROCESS_CPU_CLOCK: Final = 2


class BenchFailed(Exception):
    """A figure cannot be measured; the message says why in one line."""


class _Child:
    def __init__(self, command: tuple[str, ...]) -> None:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment
            )
        except OSError as error:
            raise BenchFailed(f"{command[0]} cannot be started: {error.strerror}") from None
        self.pid = self._process.pid
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def terminate(self) -> None:
        """Asks the process to end, without waiting: several end sooner when all are asked first."""
        # only once: a process that is cleaning up may not be ready for a second signal
        if not self._told:
            self._told = True
            self._process.terminate()

    def stop(self) -> None:
        """Ends the process, by force where it does not end in time."""
        self.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with contextlib.suppress(BrokenPipeError):
                pipe.close()

    def kill(self) -> None:
        """Kills the process: the kernel closes all its sockets."""
        self._process.kill()
        self._process.wait()

    def _line(self, timeout_s: float) -> dict[str, Any]:
        output = self._process.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            if not selector.select(timeout_s):
                raise BenchFailed(f"it did not respond for {timeout_s:.0f} s")
        line = output.readline()
        if not line:
            raise BenchFailed("it has ended")
        told: dict[str, Any] = json.loads(line)
        return told


class ServerProcess(_Child):
    """A compared server on a free port of the loopback address. It serves once `ready` has returned."""

    def __init__(self, spec: ServerSpec) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port: int = probe.getsockname()[1]
        super().__init__((*spec.command, "--port", str(self.port)))
        self.recovering = spec.recovering
        self.token: str | None = None

    def ready(self) -> None:
        """Waits until it serves. Raises BenchFailed if it does not."""
        self.token = self._line(START_S).get("token")

    def cpu_s(self) -> float:
        """The CPU time of all threads of this process alone, in user and kernel mode."""
        # The id of another process's CPU clock is computed from its pid, as clock_getcpuclockid(3) does.
        return time.clock_gettime((~self.pid << 3) | _PROCESS_CPU_CLOCK)

    def memory_kib(self) -> int:
        """Its resident memory after a garbage collection."""
        os.kill(self.pid, signal.SIGUSR2)
        self.settle()
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Rss:"))

    def open_files(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def settle(self, *, within_s: float = 10.0) -> None:
        """Waits until it is nearly idle."""
        until_s = time.monotonic() + within_s
        used_s = self.cpu_s()
        while time.monotonic() < until_s:
            time.sleep(0.05)
            before_s, used_s = used_s, self.cpu_s()
            if used_s - before_s < 0.002:
                return


class ClientsProcess(_Child):
    """The clients of one server. Raises BenchFailed for orders that failed."""

    def __init__(self, server: ServerProcess) -> None:
        token = () if server.token is None else ("--token", server.token)
        recovering = ("--recovery",) if server.recovering else ()
        command = (
            sys.executable,
            "-P",
            "-m",
            "loadtest.bench.clients",
            "--port",
            str(server.port),
            *token,
            *recovering,
        )
        super().__init__(command)

    def order(self, what: str, **arguments: object) -> dict[str, Any]:
        """Sends an order and waits until it is done."""
        pipe = self._process.stdin
        assert pipe is not None
        try:
            pipe.write(json.dumps({"do": what, **arguments}) + "\n")
            pipe.flush()
        except BrokenPipeError:
            raise BenchFailed("the clients have ended") from None
        answer = self._line(START_S * 2)
        if "failed" in answer:
            raise BenchFailed(answer["failed"])
        return answer

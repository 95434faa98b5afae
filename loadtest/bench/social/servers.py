"""The product as a small installation has it: two server processes and a worker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtest.bench.processes import BenchFailed, LoggedProcess, python_module
from loadtest.server_start import free_port, wait_until_ready

SERVERS: Final = 2


@dataclass(frozen=True, slots=True)
class ProductProcesses:
    """`ports` are those of the servers."""

    ports: tuple[int, ...]
    servers: tuple[LoggedProcess, ...]
    worker: LoggedProcess
    log: Path

    def ready(self) -> None:
        """Waits until all servers serve. Raises BenchFailed."""
        for port, server in zip(self.ports, self.servers, strict=True):
            _wait(port, server, self.log)

    def check(self) -> None:
        """Raises BenchFailed when one of them has ended: its figures would be those of the others."""
        if self.worker.has_ended() or any(server.has_ended() for server in self.servers):
            raise BenchFailed("one of the product's processes has ended")


@contextmanager
def running_product(environment: Mapping[str, str], log_path: Path) -> Iterator[ProductProcesses]:
    """Starts them, and ends them after the block; its `ready` is to be called in it. Raises BenchFailed."""
    with open(log_path, "wb") as log, ExitStack() as stack:

        def start(*arguments: str) -> LoggedProcess:
            process = LoggedProcess(python_module("server", *arguments), environment=environment, log=log)
            return stack.enter_context(process)

        ports = tuple(free_port() for _ in range(SERVERS))
        first = start("serve", "--port", str(ports[0]))
        # Not all at once: the first process stores settings in the database, and ends the sessions of others.
        _wait(ports[0], first, log_path)
        servers = (first, *(start("serve", "--port", str(port)) for port in ports[1:]))
        worker = start("worker")
        yield ProductProcesses(ports, servers, worker, log_path)
        for process in (*servers, worker):
            process.terminate()


def _wait(port: int, server: LoggedProcess, log: Path) -> None:
    try:
        wait_until_ready(f"http://127.0.0.1:{port}", has_ended=server.has_ended, log=log)
    except RuntimeError as error:
        raise BenchFailed(str(error)) from None

"""Those that are compared: how each is started, and how it is made to execute commands."""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from loadtest.bench.calls import TEXT, World
from loadtest.bench.commands.installation import Installation
from loadtest.bench.commands.pgbench import commands_of, read_durations_s, script
from loadtest.bench.commands.plan import POOL
from loadtest.bench.commands.statements import Statement
from loadtest.bench.commands.world import first_feed
from loadtest.bench.orders import percentiles_ms
from loadtest.bench.processes import (
    BenchFailed,
    ChildProcess,
    LoggedProcess,
    NotInstalled,
    ServerProcess,
    python_module,
    settle,
)
from loadtest.server_start import free_port, wait_until_ready

NODE_PEER: Final = Path(__file__).parents[2] / "peers" / "node" / "commands.mjs"
_SETTLED_WITHIN_S: Final = 5.0
PGBENCH_CLIENTS_MAX: Final = 64
"""Each is a connection; more of them only wait for each other in PostgreSQL."""
_PGBENCH_LONGEST_S: Final = 600
_PGBENCH_PATIENCE: Final = (1, 2, 4)
"""How many times as long it runs when it is tried again."""
_PGBENCH_ENDS_WITHIN_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Spec:
    """One column of the table."""

    name: str
    title: str


PRODUCT: Final = Spec("product", "product")
NODE: Final = Spec("node", "Node")
ASYNCPG: Final = Spec("asyncpg", "bare asyncpg")
PGBENCH: Final = Spec("pgbench", "pgbench")
ALL: Final = (PRODUCT, NODE, ASYNCPG, PGBENCH)


@dataclass(frozen=True, slots=True)
class Measured:
    """What one turn gave. `cpu_s` is of the process that serves (None: there is none), `postgres_cpu_s` of all of
    PostgreSQL. `refused` commands are not among `commands`.
    """

    commands: int
    elapsed_s: float
    cpu_s: float | None
    postgres_cpu_s: float
    p50_ms: float
    p99_ms: float
    refused: int = 0


class Participant(Protocol):
    """One of those that are compared, running."""

    @property
    def spec(self) -> Spec: ...

    @property
    def warms_up(self) -> bool:
        """Whether it is faster after a round: one that is started for each measurement is not."""
        ...

    def ready(self) -> None:
        """Waits until it can be measured. Raises BenchFailed."""
        ...

    def connect(self, sockets: int) -> None:
        """Makes sure that so many clients are connected."""
        ...

    def run(self, command: str, sockets: int, for_s: float) -> Measured:
        """Lets these clients call as fast as they are answered."""
        ...

    def terminate(self) -> None:
        """Asks its processes to end, without waiting."""
        ...


class OrderedParticipant:
    """One whose clients are a process that takes orders.

    `servers` are the processes that answer them, the first one is measured; `ready` waits for them.
    """

    warms_up = True

    def __init__(
        self,
        spec: Spec,
        clients: ChildProcess,
        servers: Sequence[LoggedProcess],
        installed: Installation,
        *,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.spec = spec
        self.ready = ready
        self._clients = clients
        self._servers = servers
        self._postgres = installed.postgres

    def connect(self, sockets: int) -> None:
        self._clients.order("connect", count=sockets)
        self._settle()

    def run(self, command: str, sockets: int, for_s: float) -> Measured:
        if any(server.has_ended() for server in self._servers):
            raise BenchFailed("one of its processes has ended")
        server = self._servers[0]
        began_s, postgres_began_s = server.cpu_s(), self._postgres.cpu_s()
        told = self._clients.order("run", command=command, sockets=sockets, for_s=for_s)
        cpu_s, postgres_cpu_s = server.cpu_s() - began_s, self._postgres.cpu_s() - postgres_began_s
        self._settle()
        return Measured(cpu_s=cpu_s, postgres_cpu_s=postgres_cpu_s, **told)

    def terminate(self) -> None:
        for process in (self._clients, *self._servers):
            process.terminate()

    def _settle(self) -> None:
        """Work that the commands left behind must not burden the next participant."""
        settle(lambda: sum(server.cpu_s() for server in self._servers), within_s=_SETTLED_WITHIN_S)


@contextmanager
def product(installed: Installation, *, work: bool) -> Iterator[Participant]:
    """A node of the product, and its worker in a process of its own, as an installation has them."""
    environment = {**installed.environment, "POOL_MAX": str(POOL)}
    log_path = installed.folder / "product.log"
    with open(log_path, "wb") as log, ExitStack() as stack:
        port = free_port()
        serve = python_module("server", "serve", "--port", str(port))
        server = stack.enter_context(LoggedProcess(serve, environment=environment, log=log))
        servers = [server]

        def ready() -> None:
            try:
                wait_until_ready(f"http://127.0.0.1:{port}", has_ended=server.has_ended, log=log_path)
            except RuntimeError as error:
                raise BenchFailed(str(error)) from None
            if work:  # not earlier: the first process stores settings in the database and ends the sessions of others
                worker = LoggedProcess(python_module("server", "worker"), environment=environment, log=log)
                servers.append(stack.enter_context(worker))

        clients = stack.enter_context(_clients(port, installed))
        yield OrderedParticipant(PRODUCT, clients, servers, installed, ready=ready)


@contextmanager
def node_peer(installed: Installation, statements_path: Path) -> Iterator[Participant]:
    """The plain code of loadtest/peers/node/commands.mjs."""
    command = ("node", str(NODE_PEER), "--statements", str(statements_path), *_database(installed))
    with ServerProcess(command, environment={"NODE_ENV": "production"}) as server:
        with _clients(server.port, installed) as clients:
            yield OrderedParticipant(NODE, clients, (server,), installed, ready=server.ready)


@contextmanager
def bare_asyncpg(installed: Installation) -> Iterator[Participant]:
    """The statements without sockets: one process is both the callers and what serves them."""
    command = python_module("loadtest.peers.bare_asyncpg", *_database(installed), "--world", str(installed.world_path))
    with ChildProcess(command) as process:
        yield OrderedParticipant(ASYNCPG, process, (process,), installed)


class PgbenchParticipant:
    """pgbench, started anew for each measurement: the most that PostgreSQL gives here to clients of its own."""

    spec = PGBENCH
    warms_up = False

    def __init__(
        self, program: Path, installed: Installation, statements: Mapping[str, Statement], *, warm_s: float
    ) -> None:
        self._program = program
        self._warm_s = warm_s
        self._installed = installed
        self._statements = statements
        self._world = World.read(installed.world_path)
        self._feed = asyncio.run(first_feed(installed.peer_database_url, self._world, statements))

    def ready(self) -> None:
        return None

    def connect(self, sockets: int) -> None:
        return None

    def run(self, command: str, sockets: int, for_s: float) -> Measured:
        clients = min(sockets, PGBENCH_CLIENTS_MAX)
        for patience in _PGBENCH_PATIENCE:
            # Not shorter than the warm-up: with many clients a transaction takes as long as all others.
            warm_s, measured_s = self._warm_s * patience, max(for_s, self._warm_s) * patience
            measured = self._run_once(command, clients, warm_s, measured_s)
            if measured is not None:
                return measured
        raise BenchFailed("no transaction ended while it was measured")

    def terminate(self) -> None:
        return None

    def _run_once(self, command: str, clients: int, warm_s: float, for_s: float) -> Measured | None:
        """None where the clients were still connecting or preparing their statements."""
        with tempfile.TemporaryDirectory(dir=self._installed.folder) as name:
            folder = Path(name)
            (folder / "script").write_text(script(self._world, command, clients, self._statements))
            with open(folder / "output", "wb") as output:
                with LoggedProcess(self._command(folder, clients), log=output) as process:
                    time.sleep(warm_s)
                    began_s, postgres_began_s = time.time(), self._installed.postgres.cpu_s()
                    time.sleep(for_s)
                    ended_s, postgres_cpu_s = time.time(), self._installed.postgres.cpu_s() - postgres_began_s
                    # It ends as at the end of its time, and writes its log to the end.
                    process.signal(signal.SIGALRM)
                    process.wait(_PGBENCH_ENDS_WITHIN_S)
            for line in (folder / "output").read_text().splitlines():
                if "error" in line:
                    raise BenchFailed(line)
            durations_s = read_durations_s(list(folder.glob("log.*")), began_s=began_s, ended_s=ended_s)
        if not durations_s:
            return None
        in_each = len(commands_of(self._world, command))
        percentiles = percentiles_ms([duration_s / in_each for duration_s in durations_s])
        return Measured(
            commands=len(durations_s) * in_each,
            elapsed_s=ended_s - began_s,
            cpu_s=None,
            postgres_cpu_s=postgres_cpu_s,
            p50_ms=percentiles["p50_ms"],
            p99_ms=percentiles["p99_ms"],
        )

    def _command(self, folder: Path, clients: int) -> list[str]:
        variables = {"text": TEXT, **{name: _literal(value) for name, value in self._feed.items()}}
        return [
            str(self._program),
            *("--no-vacuum", "--protocol", "prepared", "--client", str(clients), "--jobs", str(min(2, clients))),
            *("--time", str(_PGBENCH_LONGEST_S), "--log", "--log-prefix", str(folder / "log")),
            *("--file", str(folder / "script")),
            *(part for name, value in variables.items() for part in ("--define", f"{name}={value}")),
            self._installed.peer_database_url,
        ]


def _literal(value: object) -> str:
    return "{" + ",".join(map(str, value)) + "}" if isinstance(value, list) else str(value)


@contextmanager
def pgbench(installed: Installation, statements: Mapping[str, Statement], *, warm_s: float) -> Iterator[Participant]:
    """The program beside the PostgreSQL that is measured, or one of the PATH. Raises NotInstalled."""
    program = installed.postgres.program("pgbench")
    if program is None:
        raise NotInstalled("there is no pgbench here (Debian, Ubuntu: apt install postgresql-contrib)")
    yield PgbenchParticipant(program, installed, statements, warm_s=warm_s)


def _clients(port: int, installed: Installation) -> ChildProcess:
    options = ("--port", str(port), "--world", str(installed.world_path))
    return ChildProcess(python_module("loadtest.bench.commands.clients", *options))


def _database(installed: Installation) -> tuple[str, ...]:
    return ("--database", installed.peer_database_url, "--pool", str(POOL))

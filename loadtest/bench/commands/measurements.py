"""What is measured of commands, and in which order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from loadtest.bench.commands.installation import Installation, installation
from loadtest.bench.commands.participants import (
    ASYNCPG,
    NODE,
    PGBENCH,
    PRODUCT,
    Participant,
    Spec,
    bare_asyncpg,
    node_peer,
    pgbench,
    product,
)
from loadtest.bench.commands.plan import CommandsSizes, key
from loadtest.bench.commands.statements import Statement, read_statements, write_statements
from loadtest.bench.figures import Figures
from loadtest.bench.processes import NotInstalled
from loadtest.bench.turns import Tell, Turns


class CommandsBench:
    """One run. `commands` selects from COMMANDS; `work`: whether the product's worker runs."""

    def __init__(
        self, specs: Sequence[Spec], sizes: CommandsSizes, commands: Sequence[str], *, work: bool, tell: Tell
    ) -> None:
        self._specs = tuple(specs)
        self._sizes = sizes
        self._commands = tuple(commands)
        self._work = work
        self._tell = tell
        self.figures = Figures()

    def run(self) -> Figures:
        """Raises BenchFailed where nothing at all can be measured."""
        sizes, statements = self._sizes, read_statements()
        with (
            tempfile.TemporaryDirectory(prefix="rookery-bench-") as folder,
            installation(
                Path(folder),
                statements,
                people=sizes.people,
                posts=sizes.posts,
                callers=max(sizes.sockets),
                tell=self._tell,
            ) as installed,
        ):
            turns = Turns(self.figures, budget_s=sizes.budget_s, tell=self._tell)
            with self._participants(installed, statements, turns) as participants:
                for sockets in sizes.sockets:
                    self._measure(participants, turns, sockets)
        return self.figures

    def _measure(self, participants: list[Participant], turns: Turns, sockets: int) -> None:
        self._tell("1 socket" if sockets == 1 else f"{sockets:,} sockets")
        for participant in tuple(participants):
            turns.attempt(participants, participant, "connect", lambda one: one.connect(sockets))
        for command in self._commands:

            def turn(participant: Participant, counts: bool, command: str = command) -> None:
                self._turn(participant, command, sockets, counts)

            turns.play(participants, self._sizes.rounds, key("rate", command, sockets), turn)

    def _turn(self, participant: Participant, command: str, sockets: int, counts: bool) -> None:
        if not counts and not participant.warms_up:
            return
        measured = participant.run(command, sockets, self._sizes.for_s)
        if not counts:
            return
        figures = {
            "rate": measured.commands / measured.elapsed_s,
            "cpu": None if measured.cpu_s is None else measured.cpu_s / measured.commands * 1e6,
            "postgres": measured.postgres_cpu_s / measured.commands * 1e6,
            "p50": measured.p50_ms,
            "p99": measured.p99_ms,
            "refused": measured.refused / (measured.commands + measured.refused) * 100 if measured.refused else None,
        }
        for kind, value in figures.items():
            if value is not None:
                self.figures.add(key(kind, command, sockets), participant.spec.name, value)

    @contextmanager
    def _participants(
        self, installed: Installation, statements: Mapping[str, Statement], turns: Turns
    ) -> Iterator[list[Participant]]:
        """Runs all of them during the block: between turns they cost nothing."""
        exported = installed.folder / "statements.json"
        write_statements(statements, exported)
        with ExitStack() as stack:
            participants: list[Participant] = []
            for spec in self._specs:
                with turns.isolating_failures("start", spec), self._noting_absence(spec):
                    participants.append(stack.enter_context(self._start(spec, installed, statements, exported)))
            for participant in tuple(participants):
                turns.attempt(participants, participant, "start", lambda one: one.ready())
            yield participants
            for participant in participants:
                participant.terminate()

    @contextmanager
    def _noting_absence(self, spec: Spec) -> Iterator[None]:
        try:
            yield
        except NotInstalled as error:
            self._tell(str(error))
            self.figures.absent[spec.name] = str(error)

    def _start(
        self, spec: Spec, installed: Installation, statements: Mapping[str, Statement], exported: Path
    ) -> AbstractContextManager[Participant]:
        starts = {
            PRODUCT: lambda: product(installed, work=self._work),
            NODE: lambda: node_peer(installed, exported),
            ASYNCPG: lambda: bare_asyncpg(installed),
            PGBENCH: lambda: pgbench(installed, statements, warm_s=self._sizes.pgbench_warm_s),
        }
        return starts[spec]()

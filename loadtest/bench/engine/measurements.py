"""What is measured of socket engines, and how."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from loadtest.bench.engine.plan import Sizes
from loadtest.bench.engine.probe import Probe
from loadtest.bench.engine.servers import ServerSpec
from loadtest.bench.figures import Figures
from loadtest.bench.processes import BenchFailed, ChildProcess, ServerProcess, python_module
from loadtest.bench.turns import Tell, Turns

PUBLISHERS: Final = 32
ASKING: Final = 32
WARMING: Final = 100
GROUPS: Final = ("deliveries", "acks", "accepts", "thousands", "idle", "closing")
CLOSED_WITHIN_S: Final = 40.0
_WINDOW_S: Final = 0.25
_QUIET_SHARE: Final = 0.05
_PROBE_PAUSE_S: Final = 0.005


class ClientsProcess(ChildProcess):
    """The clients of one server."""

    def __init__(self, server: ServerProcess, *, recovering: bool) -> None:
        token = () if server.token is None else ("--token", server.token)
        options = ("--port", str(server.port), *token, *(("--recovery",) if recovering else ()))
        super().__init__(python_module("loadtest.bench.engine.clients", *options))


@dataclass(frozen=True, slots=True)
class EngineParticipant:
    """A server with its clients."""

    spec: ServerSpec
    server: ServerProcess
    clients: ClientsProcess


class Bench:
    """One run. `groups` selects from GROUPS what is measured; `tell` is called with progress messages."""

    def __init__(self, specs: Sequence[ServerSpec], sizes: Sizes, groups: Sequence[str], *, tell: Tell) -> None:
        self._specs = tuple(specs)
        self._sizes = sizes
        self._groups = frozenset(groups)
        self._tell = tell
        self.figures = Figures()
        self._turns = Turns(self.figures, budget_s=sizes.budget_s, tell=tell)

    def run(self) -> Figures:
        if self._groups & {"accepts", "deliveries", "acks", "thousands"}:
            with self._participants(self._specs) as participants:
                self._measure_rates(participants)
        if self._groups & {"idle", "closing"}:
            self._idle_and_closing()
        return self.figures

    def _measure_rates(self, participants: list[EngineParticipant]) -> None:
        sizes, present = self._sizes, 0
        if "accepts" in self._groups:
            self._tell("connections")
            leaving = [participant for participant in participants if not participant.spec.recovering]
            self._turns.play(leaving, sizes.rounds, "accept_1", self._accept)
        if self._groups & {"deliveries", "acks"}:
            self._tell(f"deliveries and answers, {sizes.small:,} sockets")
            present = sizes.small
            self._fill(participants, present, "deliver_small_1")
            self._turns.play(participants, sizes.rounds, "deliver_small_1", self._deliver_and_answer)
        if "thousands" in self._groups:
            self._tell(f"deliveries, {sizes.large:,} sockets")
            many = [participant for participant in participants if participant.spec.many]
            self._fill(many, sizes.large - present, "deliver_large_1")
            self._turns.play(many, sizes.large_rounds, "deliver_large_1", self._deliver_to_many)

    def _idle_and_closing(self) -> None:
        self._tell(f"memory and closing, {self._sizes.large:,} sockets")
        many = [spec for spec in self._specs if spec.many]
        with self._participants(many) as participants:
            for participant in tuple(participants):
                self._turns.attempt(participants, participant, "idle", self._weigh_and_close)

    def _weigh_and_close(self, participant: EngineParticipant) -> None:
        if self._turns.is_over:
            raise BenchFailed("there was no time left")
        server, clients, name, count = participant.server, participant.clients, participant.spec.name, self._sizes.large
        clients.order("connect", count=WARMING, namespaces=1)
        clients.order("disconnect")
        server.settle()
        empty_kib, empty_files = server.memory_kib(), server.open_files()
        clients.order("connect", count=count, namespaces=1)
        if "idle" in self._groups:
            self.figures.add("idle", name, (server.memory_kib() - empty_kib) / count)
        if "closing" in self._groups:
            cpu_s, longest_s = _close_at_once(participant, empty_files)
            self.figures.add("close_cpu", name, cpu_s * 1000)
            self.figures.add("close_block", name, longest_s * 1000)

    def _accept(self, participant: EngineParticipant, counts: bool) -> None:
        count = self._sizes.entering
        for namespaces in sorted({1, participant.spec.namespaces}):
            began_s = participant.server.cpu_s()
            participant.clients.order("connect", count=count, namespaces=namespaces)
            used_s = participant.server.cpu_s() - began_s
            if counts:
                self.figures.add(f"accept_{namespaces}", participant.spec.name, used_s / count * 1e6)
            participant.clients.order("disconnect")
            participant.server.settle()

    def _publish(self, participant: EngineParticipant, size: str, publishers: int, counts: bool) -> None:
        began_s = participant.server.cpu_s()
        told = participant.clients.order("publish", publishers=publishers, for_s=self._sizes.for_s)
        used_s = participant.server.cpu_s() - began_s
        if counts:
            name = participant.spec.name
            self.figures.add(f"deliver_{size}_{publishers}", name, used_s / told["deliveries"] * 1e6)
            for percentile in ("p50", "p99"):
                if (age_ms := told.get(f"{percentile}_ms")) is not None:
                    self.figures.add(f"{percentile}_{size}", name, age_ms)

    def _echo(self, participant: EngineParticipant, counts: bool) -> None:
        began_s = participant.server.cpu_s()
        told = participant.clients.order("echo", clients=ASKING, for_s=self._sizes.for_s)
        used_s = participant.server.cpu_s() - began_s
        if counts:
            self.figures.add("ack", participant.spec.name, used_s / told["events"] * 1e6)

    def _deliver_and_answer(self, participant: EngineParticipant, counts: bool) -> None:
        if "deliveries" in self._groups:
            self._publish(participant, "small", 1, counts)
            if participant.spec.loaded:
                self._publish(participant, "small", PUBLISHERS, counts)
        if "acks" in self._groups:
            self._echo(participant, counts)

    def _deliver_to_many(self, participant: EngineParticipant, counts: bool) -> None:
        self._publish(participant, "large", 1, counts)
        if participant.spec.loaded_many:
            self._publish(participant, "large", PUBLISHERS, counts)

    def _fill(self, participants: list[EngineParticipant], clients: int, metric: str) -> None:
        for participant in tuple(participants):
            self._turns.attempt(participants, participant, metric, partial(_connect, clients=clients))

    @contextmanager
    def _participants(self, specs: Sequence[ServerSpec]) -> Iterator[list[EngineParticipant]]:
        """Runs all servers and their clients during the block: between turns they cost nothing."""
        with ExitStack() as stack:
            servers: list[tuple[ServerSpec, ServerProcess]] = []
            participants: list[EngineParticipant] = []
            for spec in specs:
                with self._turns.isolating_failures("start", spec):
                    servers.append((spec, stack.enter_context(ServerProcess(spec.command))))
            for spec, server in servers:
                with self._turns.isolating_failures("start", spec):
                    server.ready()
                    participants.append(
                        EngineParticipant(
                            spec, server, stack.enter_context(ClientsProcess(server, recovering=spec.recovering))
                        )
                    )
            yield participants
            for participant in participants:
                participant.clients.terminate()
                participant.server.terminate()


def _connect(participant: EngineParticipant, clients: int) -> None:
    participant.clients.order("connect", count=clients, namespaces=1)
    participant.server.settle()


def _close_at_once(participant: EngineParticipant, empty_files: int) -> tuple[float, float]:
    """Seconds of CPU until the server is quiet, and the longest CPU time before another client got its answer.

    CPU and not wall time: a server that has to wait for a core does not block its loop.
    """
    server = participant.server
    with Probe(server.port, server.token) as probe:
        probe.answer_s()
        began_cpu_s = used_s = server.cpu_s()
        began_s = window_s = time.perf_counter()
        participant.clients.kill()
        longest_s = 0.0
        while (now_s := time.perf_counter()) - began_s < CLOSED_WITHIN_S:
            asked_cpu_s = server.cpu_s()
            probe.answer_s()
            longest_s = max(longest_s, server.cpu_s() - asked_cpu_s)
            time.sleep(_PROBE_PAUSE_S)
            if now_s - window_s >= _WINDOW_S:
                before_s, used_s = used_s, server.cpu_s()
                is_quiet = used_s - before_s < (now_s - window_s) * _QUIET_SHARE
                if is_quiet and server.open_files() <= empty_files + 1:
                    return used_s - began_cpu_s, longest_s
                window_s = now_s
    raise BenchFailed(f"not quiet {CLOSED_WITHIN_S:.0f} s after its clients had gone")

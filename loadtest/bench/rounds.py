"""The measurements: every server gets its turn in every round, so that a drift of the machine meets all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from loadtest.bench.contestants import Contestant
from loadtest.bench.figures import Figures, Sizes
from loadtest.bench.probe import Probe
from loadtest.bench.processes import BenchFailed, CrowdProcess, ServerProcess

PUBLISHERS: Final = 32
ASKING: Final = 32
WARMING: Final = 100
GROUPS: Final = ("deliveries", "acks", "accepts", "thousands", "idle", "closing")
CLOSED_WITHIN_S: Final = 40.0
_WINDOW_S: Final = 0.25
_QUIET_SHARE: Final = 0.05
_PROBE_PAUSE_S: Final = 0.005

Tell = Callable[[str], None]


class Turn(Protocol):
    """One server's part in a round; the figures of a round that warms up do not count."""

    def __call__(self, seat: Seat, counts: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Seat:
    """A server with its clients."""

    contestant: Contestant
    server: ServerProcess
    crowd: CrowdProcess


class Bench:
    """One run. `groups` names what of GROUPS is measured; `tell` hears what is going on."""

    def __init__(self, contestants: Sequence[Contestant], sizes: Sizes, groups: Sequence[str], *, tell: Tell) -> None:
        self._contestants = tuple(contestants)
        self._sizes = sizes
        self._groups = frozenset(groups)
        self._tell = tell
        self._until_s = time.monotonic() + sizes.budget_s
        self.figures = Figures()

    def run(self) -> Figures:
        if self._groups & {"accepts", "deliveries", "acks", "thousands"}:
            with self._seats(self._contestants) as seats:
                self._measure_rates(seats)
        if self._groups & {"idle", "closing"}:
            self._idle_and_closing()
        return self.figures

    def _measure_rates(self, seats: list[Seat]) -> None:
        sizes, present = self._sizes, 0
        if "accepts" in self._groups:
            self._tell("connections")
            leaving = [seat for seat in seats if not seat.contestant.recovering]
            self._play(leaving, sizes.rounds, "accept_1", self._accept)
        if self._groups & {"deliveries", "acks"}:
            self._tell(f"deliveries and answers, {sizes.small:,} sockets")
            present = sizes.small
            self._fill(seats, present, "deliver_small_1")
            self._play(seats, sizes.rounds, "deliver_small_1", self._deliver_and_answer)
        if "thousands" in self._groups:
            self._tell(f"deliveries, {sizes.large:,} sockets")
            many = [seat for seat in seats if seat.contestant.many]
            self._fill(many, sizes.large - present, "deliver_large_1")
            self._play(many, sizes.large_rounds, "deliver_large_1", self._deliver_to_many)

    def _idle_and_closing(self) -> None:
        self._tell(f"memory and closing, {self._sizes.large:,} sockets")
        many = [contestant for contestant in self._contestants if contestant.many]
        with self._seats(many) as seats:
            for seat in tuple(seats):
                self._try(seats, seat, "idle", self._weigh_and_close)

    def _weigh_and_close(self, seat: Seat) -> None:
        if time.monotonic() > self._until_s:
            raise BenchFailed("there was no time left")
        server, crowd, name, count = seat.server, seat.crowd, seat.contestant.name, self._sizes.large
        crowd.order("enter", count=WARMING, namespaces=1)
        crowd.order("leave")
        server.settle()
        empty_kib, empty_files = server.memory_kib(), server.open_files()
        crowd.order("enter", count=count, namespaces=1)
        if "idle" in self._groups:
            self.figures.add("idle", name, (server.memory_kib() - empty_kib) / count)
        if "closing" in self._groups:
            cpu_s, longest_s = _close_at_once(seat, empty_files)
            self.figures.add("close_cpu", name, cpu_s * 1000)
            self.figures.add("close_block", name, longest_s * 1000)

    def _accept(self, seat: Seat, counts: bool) -> None:
        count = self._sizes.entering
        for namespaces in sorted({1, seat.contestant.namespaces}):
            began_s = seat.server.cpu_s()
            seat.crowd.order("enter", count=count, namespaces=namespaces)
            used_s = seat.server.cpu_s() - began_s
            if counts:
                self.figures.add(f"accept_{namespaces}", seat.contestant.name, used_s / count * 1e6)
            seat.crowd.order("leave")
            seat.server.settle()

    def _publish(self, seat: Seat, size: str, publishers: int, counts: bool) -> None:
        began_s = seat.server.cpu_s()
        told = seat.crowd.order("publish", publishers=publishers, for_s=self._sizes.for_s)
        used_s = seat.server.cpu_s() - began_s
        if counts:
            name = seat.contestant.name
            self.figures.add(f"deliver_{size}_{publishers}", name, used_s / told["deliveries"] * 1e6)
            for percentile in ("p50", "p99"):
                if (age_ms := told.get(f"{percentile}_ms")) is not None:
                    self.figures.add(f"{percentile}_{size}", name, age_ms)

    def _echo(self, seat: Seat, counts: bool) -> None:
        began_s = seat.server.cpu_s()
        told = seat.crowd.order("echo", clients=ASKING, for_s=self._sizes.for_s)
        used_s = seat.server.cpu_s() - began_s
        if counts:
            self.figures.add("ack", seat.contestant.name, used_s / told["events"] * 1e6)

    def _deliver_and_answer(self, seat: Seat, counts: bool) -> None:
        if "deliveries" in self._groups:
            self._publish(seat, "small", 1, counts)
            if seat.contestant.loaded:
                self._publish(seat, "small", PUBLISHERS, counts)
        if "acks" in self._groups:
            self._echo(seat, counts)

    def _deliver_to_many(self, seat: Seat, counts: bool) -> None:
        self._publish(seat, "large", 1, counts)
        if seat.contestant.loaded_many:
            self._publish(seat, "large", PUBLISHERS, counts)

    def _play(self, seats: list[Seat], rounds: int, metric: str, turn: Turn) -> None:
        """Everybody's turns, each round begun by another one. The first round warms up and does not count.

        A server whose turn fails leaves `seats`.
        """
        for number in range(rounds + 1):
            start = number % len(seats) if seats else 0
            for seat in seats[start:] + seats[:start]:
                if time.monotonic() > self._until_s:
                    self._tell("no time left: fewer rounds were measured")
                    return
                self._try(seats, seat, metric, partial(turn, counts=number > 0))

    def _fill(self, seats: list[Seat], clients: int, metric: str) -> None:
        for seat in tuple(seats):
            self._try(seats, seat, metric, partial(_enter, clients=clients))

    def _try(self, seats: list[Seat], seat: Seat, metric: str, action: Callable[[Seat], None]) -> None:
        try:
            action(seat)
        except BenchFailed as error:
            self._fail(metric, seat.contestant, error)
            seats.remove(seat)

    @contextmanager
    def _seats(self, contestants: Sequence[Contestant]) -> Iterator[list[Seat]]:
        """All of them at once: who has no turn costs nothing."""
        with ExitStack() as stack:
            servers: list[tuple[Contestant, ServerProcess]] = []
            seats: list[Seat] = []
            for contestant in contestants:
                with self._failing_alone(contestant):
                    servers.append((contestant, stack.enter_context(ServerProcess(contestant))))
            for contestant, server in servers:
                with self._failing_alone(contestant):
                    server.ready()
                    seats.append(Seat(contestant, server, stack.enter_context(CrowdProcess(server))))
            yield seats
            for seat in seats:
                seat.crowd.hang_up()
                seat.server.hang_up()

    @contextmanager
    def _failing_alone(self, contestant: Contestant) -> Iterator[None]:
        try:
            yield
        except BenchFailed as error:
            self._fail("start", contestant, error)

    def _fail(self, metric: str, contestant: Contestant, error: BenchFailed) -> None:
        self._tell(f"{contestant.title} failed: {error}")
        self.figures.fail(metric, contestant.name, str(error))


def _enter(seat: Seat, clients: int) -> None:
    seat.crowd.order("enter", count=clients, namespaces=1)
    seat.server.settle()


def _close_at_once(seat: Seat, empty_files: int) -> tuple[float, float]:
    """Seconds of CPU until the server is quiet, and the longest that it worked before another client got its answer.

    CPU and not the time of day: a server that has to wait for a core does not block its loop.
    """
    server = seat.server
    with Probe(server.port, server.token) as probe:
        probe.answer_s()
        began_cpu_s = used_s = server.cpu_s()
        began_s = window_s = time.perf_counter()
        seat.crowd.kill()
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

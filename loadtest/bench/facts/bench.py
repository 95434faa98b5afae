"""Measures how many Facts a second eight consumers deal with, each storing a row, beside such consumers in SQL."""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Final

import asyncpg
from matplotlib.figure import Figure

from loadtest.bench.facts.statements import load_statements
from loadtest.bench.figures import Figures, Metric, Target, verdicts
from loadtest.bench.options import RESULTS, tell, tell_stored
from loadtest.bench.orders import percentiles_ms
from loadtest.bench.processes import START_S, BenchFailed, ChildProcess, python_module
from loadtest.bench.report import document, draw_bars, header, outcome, rows, store
from loadtest.bench.services import backing_services

CONSUMERS: Final = 8
DRAINED: Final = Metric("drained", "Facts through eight consumers, from a full log", "1/s")
LAG_P50: Final = Metric("lag_p50", "from commit to effect, alone and not woken, P50", "ms")
LAG_P99: Final = Metric("lag_p99", "from commit to effect, alone and not woken, P99", "ms")
METRICS: Final = (DRAINED, LAG_P50, LAG_P99)
TARGETS: Final = (Target("drained", "rookery", 10_000, side="at least"),)
_LOOK_EVERY_S: Final = 0.2
_DRAINED_WITHIN_S: Final = 300.0
_SETTLED_S: Final = 1.0
_ALONE_EVERY_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Sizes:
    """`facts` are drained in each round; `alone` are made one after the other in the last one."""

    facts: int
    alone: int
    rounds: int


FULL: Final = Sizes(facts=100_000, alone=100, rounds=3)
QUICK: Final = Sizes(facts=2_000, alone=10, rounds=1)


@dataclass(frozen=True, slots=True)
class Spec:
    name: str
    title: str
    module: str
    workers: int


ALL: Final = (
    Spec("rookery", "Rookery", "loadtest.micro.fact_worker", 1),
    Spec("rookery-2", "two workers", "loadtest.micro.fact_worker", 2),
    Spec("sql", "SQL by hand", "loadtest.peers.bare_consumers", 1),
)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    sizes = QUICK if options.quick else FULL
    specs = [spec for spec in ALL if spec.name in options.servers]
    figures = Figures()
    with tempfile.TemporaryDirectory(prefix="rookery-bench-") as folder:
        with open(Path(folder, "bench.log"), "wb") as log:
            asyncio.run(_Run(Path(folder), log, sizes, figures).measure(specs))
    reached = verdicts(figures, TARGETS)
    print("\n".join([header(specs), *rows(figures, specs, METRICS), *outcome(figures, METRICS, reached)]))
    content = document(figures, reached, {"sizes": asdict(sizes), "consumers": CONSUMERS})
    picture = Figure(figsize=(9, 4), layout="constrained")
    left, right = picture.subplots(1, 2)
    draw_bars(left, "Facts a second", figures, specs, [DRAINED])
    draw_bars(right, "from commit to effect (ms)", figures, specs, [LAG_P50, LAG_P99])
    left.legend(fontsize=8)
    tell_stored(store(options.results, "facts-quick" if options.quick else "facts", content, picture))
    return 1 if figures.failures else 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    names = [spec.name for spec in ALL]
    options = argparse.ArgumentParser(prog="./run bench facts", description=__doc__)
    options.add_argument("--quick", action="store_true", help="few Facts, one round: some seconds, less exact")
    options.add_argument("--servers", nargs="+", choices=names, default=names, help="which consumers")
    options.add_argument(
        "--results", type=Path, metavar="DIR", default=RESULTS, help="folder for the JSON file and the picture"
    )
    return options.parse_args(arguments)


class _Run:
    """One PostgreSQL and one Valkey; in each round, each of those compared begins with an empty log."""

    def __init__(self, folder: Path, log: IO[bytes], sizes: Sizes, figures: Figures) -> None:
        self._folder = folder
        self._log = log
        self._sizes = sizes
        self._figures = figures
        self._statements = load_statements()

    async def measure(self, specs: Sequence[Spec]) -> None:
        with backing_services(self._folder, self._log) as environment:
            await self._migrate(environment)
            connection = await asyncpg.connect(environment["DATABASE_URL"])
            try:
                await self._statements.create_effects(connection)
                for number in range(self._sizes.rounds):
                    tell(f"round {number + 1} of {self._sizes.rounds}")
                    for spec in specs:
                        try:
                            await self._take_turn(spec, connection, environment)
                        except BenchFailed as failure:
                            self._figures.fail(DRAINED.key, spec.name, str(failure))
            finally:
                await connection.close()

    async def _migrate(self, environment: Mapping[str, str]) -> None:
        process = await asyncio.create_subprocess_exec(
            *python_module("server", "migrate"), env={**os.environ, **environment}, stdout=self._log, stderr=self._log
        )
        if await process.wait():
            raise BenchFailed("the schema cannot be made")

    async def _take_turn(self, spec: Spec, connection: Any, environment: Mapping[str, str]) -> None:
        statements, facts = self._statements, self._sizes.facts
        await statements.forget_all(connection)
        await statements.make_facts(connection, first=1, last=facts)
        await statements.know_sizes(connection)
        with ExitStack() as stack:
            for _ in range(spec.workers):
                process = stack.enter_context(
                    ChildProcess(python_module(spec.module), environment=environment, log=self._log)
                )
                process.next_line(START_S)
            await self._drain(spec, connection)
            await asyncio.sleep(_SETTLED_S)
            for number in range(1, self._sizes.alone + 1):
                await statements.make_facts(connection, first=facts + number, last=facts + number)
                await asyncio.sleep(_ALONE_EVERY_S)
            await self._until(connection, (facts + self._sizes.alone) * CONSUMERS)
        if doubles := await statements.count_doubles(connection):
            raise BenchFailed(f"{doubles} effects were stored more than once")
        rows_read = statements.read_lags(connection, first=facts + 1)
        found = percentiles_ms([row["lag_s"] async for row in rows_read])
        self._figures.add(LAG_P50.key, spec.name, found["p50_ms"])
        self._figures.add(LAG_P99.key, spec.name, found["p99_ms"])

    async def _drain(self, spec: Spec, connection: Any) -> None:
        """From the first effects that are seen to the last one: starting the process does not count."""
        wanted = self._sizes.facts * CONSUMERS
        began = 0
        while not began:
            began = await self._statements.count_effects(connection)
            began_s = time.perf_counter()
        await self._until(connection, wanted)
        elapsed_s = time.perf_counter() - began_s
        self._figures.add(DRAINED.key, spec.name, (wanted - began) / CONSUMERS / elapsed_s)

    async def _until(self, connection: Any, count: int) -> None:
        try:
            async with asyncio.timeout(_DRAINED_WITHIN_S):
                while await self._statements.count_effects(connection) < count:
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise BenchFailed(f"not all effects were stored within {_DRAINED_WITHIN_S:.0f} s") from None

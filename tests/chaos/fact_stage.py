"""Workers as processes whose consumers store a row for each Fact, and a writer of Facts, to count effects."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from loadtest.bench.facts.statements import load_statements
from tests.chaos.truth import Connection
from tests.kit.facts import count_unread

CONSUMERS = 3
LEASE_S = 1.0
_CHECKOUT = Path(__file__).parents[2]
_START_TIMEOUT_S = 30.0
_BUSY_TIMEOUT_S = 30.0
_FACTS_AT_ONCE = 40
_WRITE_EVERY_S = 0.02


class FactStage:
    """The workers are ended with the stage."""

    def __init__(self, connection: Connection, environment: Mapping[str, str], *, keeps: bool) -> None:
        self.connection = connection
        self._environment = {**environment, "FACT_LEASE_S": str(LEASE_S)}
        self._statements = load_statements()
        self._numbers = itertools.count(1_000_000 if keeps else 1, _FACTS_AT_ONCE)
        self.made = 0
        self.workers: list[Process] = []
        self._started: list[Process] = []

    async def add_worker(self) -> None:
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "loadtest.micro.fact_worker", "--consumers", str(CONSUMERS)),
            env=self._environment,
            cwd=_CHECKOUT,
            stdout=asyncio.subprocess.PIPE,
        )
        self.workers.append(worker)
        self._started.append(worker)
        assert worker.stdout is not None
        async with asyncio.timeout(_START_TIMEOUT_S):
            assert b"ready" in await worker.stdout.readline()

    async def kill(self, worker: Process) -> None:
        self.workers.remove(worker)
        worker.kill()
        await worker.communicate()

    async def _make(self, connection: Connection) -> None:
        first = next(self._numbers)
        await self._statements.make_facts(connection, first=first, last=first + _FACTS_AT_ONCE - 1)
        self.made += _FACTS_AT_ONCE

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Facts are made all the time."""

        connection = await asyncpg.connect(self._environment["DATABASE_URL"])

        async def write() -> None:
            while True:
                await self._make(connection)
                await asyncio.sleep(_WRITE_EVERY_S)

        writer = asyncio.create_task(write())
        try:
            yield
        finally:
            assert not writer.done(), "nothing was written for a while"
            writer.cancel()
            await asyncio.wait([writer])
            await connection.close()
        # The one that was under way may be stored or not.
        self.made = await self.connection.fetchval("SELECT count(*) FROM facts")

    async def stop_in_the_middle(self, worker: Process) -> None:
        """Suspends the worker at a moment when it has read Facts and stored nothing of them yet."""
        async with asyncio.timeout(_BUSY_TIMEOUT_S):
            while True:
                os.kill(worker.pid, signal.SIGSTOP)
                if await count_unread(self.connection):
                    return
                os.kill(worker.pid, signal.SIGCONT)
                await asyncio.sleep(0.005)

    async def judge(self, within_s: float = 30.0) -> None:
        """Every Fact was stored by every consumer, exactly once. Raises TimeoutError, AssertionError."""
        async with asyncio.timeout(within_s):
            while await count_unread(self.connection):
                await asyncio.sleep(0.02)
        assert await self._statements.count_doubles(self.connection) == 0
        assert await self._statements.count_effects(self.connection) == self.made * CONSUMERS

    async def end(self) -> None:
        for worker in self._started:
            if worker.returncode is None:
                worker.kill()
                await worker.communicate()


@asynccontextmanager
async def fact_stage(environment: Mapping[str, str], *, workers: int, keep: bool = False) -> AsyncIterator[FactStage]:
    """With an empty log, or with `keep` what is there. `environment` names a migrated database and a Redis."""
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    stage = FactStage(connection, environment, keeps=keep)
    statements = load_statements()
    try:
        if not await connection.fetchval("SELECT to_regclass('bench_effects')"):
            await statements.create_effects(connection)
        if not keep:
            await statements.forget_all(connection)
        await asyncio.gather(*(stage.add_worker() for _ in range(workers)))
        yield stage
    finally:
        await stage.end()
        await connection.close()

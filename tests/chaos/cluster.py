"""Two nodes and a worker as processes, a Valkey that can be stopped, and the faults that tests cause."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg
import redis.asyncio

from tests.journeys.servers import ServerProcess, settings_of_processes
from tests.kit.facts import count_unread
from tests.kit.services import Valkey

NODES = 2
PING_INTERVAL_MS, PING_TIMEOUT_MS = 2_000, 3_000
"""Shorter than in production, so that clients notice a stopped node within a run."""
MAX_UNREAD_BYTES = 262_144
FACT_LEASE_S = 2.0
_HEALTHY_TIMEOUT_S = 60.0
_BUSY_TIMEOUT_S = 20.0
_LOOK_EVERY_S = 0.005


class Cluster:
    """`addresses` holds the nodes that were started and not killed, including stopped ones."""

    def __init__(self, environment: Mapping[str, str], valkey: Valkey, folder: Path) -> None:
        self._environment = environment
        self._valkey = valkey
        self._folder = folder
        self._started: list[ServerProcess] = []
        self._log_read: dict[ServerProcess, int] = {}
        self.nodes: list[ServerProcess] = []
        self.workers: list[ServerProcess] = []

    def addresses(self) -> list[str]:
        return [node.url for node in self.nodes]

    async def start(self) -> None:
        await asyncio.gather(*(self.add_node() for _ in range(NODES)), self.add_worker())

    async def add_node(self) -> None:
        node = self._process("serve")
        await node.started()
        self.nodes.append(node)

    async def add_worker(self) -> None:
        worker = self._process("worker")
        await worker.started()
        self.workers.append(worker)

    def _process(self, verb: str) -> ServerProcess:
        process = ServerProcess(verb, self._environment, self._folder / f"{verb}-{len(self._started)}.log")
        self._started.append(process)
        return process

    def stop(self) -> None:
        """Ends all processes."""
        for process in self._started:
            process.kill()

    async def kill_node(self) -> None:
        """Kills with SIGKILL, as the kernel does when memory runs out."""
        self.nodes.pop(0).kill()

    async def kill_worker(self) -> None:
        """Kills the worker while it has taken posts that it has not finished. Raises TimeoutError."""
        worker = self.workers.pop(0)
        connection = await asyncpg.connect(self._environment["DATABASE_URL"])
        try:
            async with asyncio.timeout(_BUSY_TIMEOUT_S):
                while True:
                    os.kill(worker.pid, signal.SIGSTOP)
                    if await count_unread(connection, "feed_fanout"):
                        break
                    os.kill(worker.pid, signal.SIGCONT)
                    await asyncio.sleep(_LOOK_EVERY_S)
        finally:
            await connection.close()
        worker.kill()

    async def halt_node(self, seconds: float) -> None:
        """Suspends a node's process for a while without its knowledge, as when a machine is suspended."""
        pid = self.nodes[0].pid
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            os.kill(pid, signal.SIGCONT)

    async def restart_valkey(self, away_s: float) -> None:
        """Valkey loses all data."""
        await asyncio.to_thread(self._valkey.stop)
        await asyncio.sleep(away_s)
        await asyncio.to_thread(self._valkey.start)

    async def cut_subscribers(self) -> int:
        """Returns how many there were."""
        client = redis.asyncio.Redis.from_url(self._valkey.url)
        try:
            return int(await client.execute_command("CLIENT", "KILL", "TYPE", "pubsub"))  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    async def healthy(self) -> None:
        """Waits until every node reports that it is ready. Raises TimeoutError."""
        async with aiohttp.ClientSession() as http:
            async with asyncio.timeout(_HEALTHY_TIMEOUT_S):
                for url in self.addresses():
                    while not await _is_ready(http, url):
                        await asyncio.sleep(0.1)

    def read_logs(self) -> str:
        """The log of all processes, including killed ones, since the last call."""
        said = ""
        for process in self._started:
            log = process.log()
            end = log.rfind("\n") + 1  # a killed process may have stopped in the middle of a line
            said += log[self._log_read.get(process, 0) : end]
            self._log_read[process] = end
        return said

    def resident_bytes(self) -> int:
        """The memory of all nodes together."""
        pages = sum(int(Path(f"/proc/{node.pid}/statm").read_text().split()[1]) for node in self.nodes)
        return pages * os.sysconf("SC_PAGE_SIZE")


async def _is_ready(http: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with http.get(f"{url}/ready") as response:
            return response.status == 200
    except aiohttp.ClientConnectionError:
        return False


@asynccontextmanager
async def running_cluster(database_url: str, valkey: Valkey, folder: Path) -> AsyncIterator[Cluster]:
    environment = settings_of_processes(database_url, valkey.url, folder / "data") | {
        "PING_INTERVAL_MS": str(PING_INTERVAL_MS),
        "PING_TIMEOUT_MS": str(PING_TIMEOUT_MS),
        "MAX_UNREAD_BYTES": str(MAX_UNREAD_BYTES),
        "FACT_LEASE_S": str(FACT_LEASE_S),
    }
    cluster = Cluster(environment, valkey, folder)
    try:
        await cluster.start()
        yield cluster
    finally:
        cluster.stop()

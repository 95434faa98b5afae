"""The load of PostgreSQL, second by second."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from tests.chaos.truth import Connection

_LOOK_EVERY_S = 0.05
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class DatabaseLoad:
    """Each list has one entry a second."""

    transactions: list[int] = field(default_factory=list)
    """Of this database; a statement outside of a transaction counts as one. Sessions report once a second."""
    cpu_s: list[float] = field(default_factory=list)
    """CPU time of the server, for all of its databases."""
    peak_connections: int = 0
    """Most connections that were working at the same moment."""

    async def pass_by(self, seconds: int) -> slice:
        """Waits this many seconds, and returns their place in the lists."""
        seen = len(self.transactions)
        while len(self.transactions) < seen + seconds:
            await asyncio.sleep(_LOOK_EVERY_S)
        return slice(seen, seen + seconds)


@asynccontextmanager
async def watched_database(database_url: str) -> AsyncIterator[DatabaseLoad]:
    """Counts during the block, over its own connection, since any other may be in use at any moment."""
    load = DatabaseLoad()

    async def watch(connection: Connection) -> None:
        loop = asyncio.get_running_loop()
        own_pid = connection.get_server_pid()
        transactions, cpu_s, second_at_s = await _transactions(connection), _cpu_s(own_pid), loop.time() + 1.0
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            load.peak_connections = max(load.peak_connections, await _connections_at_work(connection))
            if loop.time() >= second_at_s:
                second_at_s += 1.0
                before, cpu_before_s = transactions, cpu_s
                transactions, cpu_s = await _transactions(connection), _cpu_s(own_pid)
                load.transactions.append(transactions - before)
                load.cpu_s.append(cpu_s - cpu_before_s)

    connection = await asyncpg.connect(database_url)
    task = asyncio.create_task(watch(connection))
    try:
        yield load
    finally:
        task.cancel()
        await asyncio.wait([task])
        await connection.close()
    if not task.cancelled():
        task.result()


async def _connections_at_work(connection: Connection) -> int:
    return int(
        await connection.fetchval(
            """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()
            """
        )
    )


async def _transactions(connection: Connection) -> int:
    return int(
        await connection.fetchval(
            "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"
        )
    )


def _cpu_s(own_pid: int) -> float:
    """CPU time of all processes of the server, except the one of this connection."""
    stats = {int(path.parent.name): _stat(path) for path in Path("/proc").glob("[0-9]*/stat")}
    parent = stats[own_pid][1]
    ticks = sum(
        int(stat[11]) + int(stat[12])
        for pid, stat in stats.items()
        if stat and pid != own_pid and (stat[1] == parent or pid == int(parent))
    )
    # The time of ended sessions counts for their parent process.
    return (ticks + sum(map(int, stats[int(parent)][13:15]))) / _TICKS_PER_S


def _stat(path: Path) -> list[str]:
    """The fields after the process name; empty when the process has ended meanwhile."""
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return []

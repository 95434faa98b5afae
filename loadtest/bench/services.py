"""PostgreSQL and Valkey for one run, and a network in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from loadtest.bench.processes import CHECKOUT, START_S, BenchFailed, ChildProcess, python_module

TOKEN_LIFE_S: Final = 24 * 3600
RATE_LIMIT_FACTOR: Final = "100000"
"""Limits are counted as usual and never reached."""
_STOP_S: Final = 60.0
"""PostgreSQL writes what it has in memory; killed, the command would leave it running."""


@contextmanager
def backing_services(data: Path, log: IO[bytes]) -> Iterator[dict[str, str]]:
    """Runs both, empty, during the block; gives the environment of the product's processes. Raises BenchFailed."""
    environment = {
        "DATA_DIR": str(data),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "HOST": "127.0.0.1",
        "RATE_LIMIT_FACTOR": RATE_LIMIT_FACTOR,
        "ACCESS_TOKEN_TTL_S": str(TOKEN_LIFE_S),
        "LOG_LEVEL": "warning",
    }
    command = python_module("server", "services")
    with ChildProcess(command, environment=environment, log=log, stop_s=_STOP_S) as services:
        for _ in range(2):
            name, _, address = services.next_line(START_S).partition("=")
            environment[name] = address
        yield environment


def seed_network(environment: Mapping[str, str], *, people: int, posts: int, tokens: Path) -> None:
    """Writes a network to the database, and the logins of its people to `tokens`. Raises BenchFailed."""
    sizes = ("--people", str(people), "--posts", str(posts), "--tokens", str(tokens))
    done = subprocess.run(
        python_module("server", "seed", *sizes),
        env={**os.environ, **environment},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise BenchFailed(f"the network cannot be written: {(done.stderr.splitlines() or ['no reason told'])[-1]}")

"""The product in separate processes: started, watched by their logs, and stopped as a process manager does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from server.config import Settings
from tests.journeys.checks import log_complaints

_CHECKOUT = Path(__file__).parents[2]
_START_TIMEOUT_S = 60.0
POOL_MAX = 8
_STOP_TIMEOUT_S = 10.0
"""The drain time of 4 s, plus what a busy machine needs to end an interpreter."""


def settings_of_processes(database_url: str, redis_url: str, data_dir: Path) -> dict[str, str]:
    """An environment in which a test's processes share database, Redis and keys, with very high rate limits."""
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    return kept | {
        "ENV_FILE": os.devnull,
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(data_dir),
        "PORT": "0",
        "POOL_MAX": str(POOL_MAX),
        "LOG_FORMAT": "json",
        "RATE_LIMIT_FACTOR": "100000",
        "TOKEN_SECRETS": "journey:" + "s" * 40,
        "ACCESS_TOKEN_TTL_S": "3600",
    }


def run_verb(*verb: str, environment: Mapping[str, str]) -> None:
    """Runs a verb of the command line to its end."""
    done = subprocess.run(
        [sys.executable, "-m", "server", *verb], env=dict(environment), cwd=_CHECKOUT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


class ServerProcess:
    """One process of `python -m server`; its log goes to a file."""

    def __init__(self, verb: str, environment: Mapping[str, str], log: Path) -> None:
        self.verb = verb
        self.url = ""
        self._log = log
        with open(log, "wb") as file:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "server", verb],
                env=dict(environment),
                cwd=_CHECKOUT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    async def started(self) -> None:
        """Waits until its log says that it has started."""
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not (lines := [line for line in self._events() if line["event"] == "node_started"]):
                assert self._process.poll() is None, f"{self.verb} ended at once:\n{self.log()}"
                await asyncio.sleep(0.05)
        if lines[0]["port"] is not None:
            self.url = f"http://127.0.0.1:{lines[0]['port']}"

    async def stop(self) -> list[str]:
        """Stops the process; returns complaints about its exit code, the time it took, and lines of its log."""
        self._process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.to_thread(self._process.wait, _STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return [f"{self.verb} did not end within {_STOP_TIMEOUT_S} s"]
        complaints = [] if code == 0 else [f"{self.verb} ended with {code}"]
        return complaints + [f"{self.verb}: {line}" for line in log_complaints(self.log())]

    def log(self) -> str:
        """Its log so far."""
        return self._log.read_text()

    def kill(self) -> None:
        """Ends the process in any case."""
        self._process.kill()
        self._process.wait()

    def _events(self) -> list[dict[str, Any]]:
        # The last line may be incomplete.
        lines = self._log.read_bytes().split(b"\n")[:-1]
        return [orjson.loads(line) for line in lines if line.startswith(b"{")]

"""The server under load: a running one on this machine, or one that the load test starts and removes."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from loadtest.people import People
from loadtest.server_start import free_port, wait_until_ready

TOKEN_LIFE_S = 24 * 3600


class NotALoopbackAddress(ValueError):
    """The URL is not on this machine; load tests are for loopback addresses only."""


@dataclass(frozen=True)
class Target:
    """The URL of the server under load, and its people."""

    url: str
    people: People


def running_server(url: str, tokens: Path) -> Target:
    """A server that already runs. Raises NotALoopbackAddress."""
    host = urlsplit(url).hostname
    addresses = {info[4][0] for info in socket.getaddrinfo(host, None)} if host else set()
    if not addresses or not all(ipaddress.ip_address(address).is_loopback for address in addresses):
        raise NotALoopbackAddress(f"{url} is not on this machine: load tests are for loopback only")
    return Target(url.rstrip("/"), People.from_file(tokens))


@contextlib.contextmanager
def started_server(*, people: int, posts: int) -> Iterator[Target]:
    """Starts a server with its own data and network of people; stops and deletes it afterwards."""
    with tempfile.TemporaryDirectory(prefix="rookery-load-") as folder:
        environment = {
            **os.environ,
            "DATA_DIR": f"{folder}/data",
            "RATE_LIMIT_FACTOR": "100000",
            "ACCESS_TOKEN_TTL_S": str(TOKEN_LIFE_S),
            "LOG_LEVEL": "warning",
            "DATABASE_URL": "",
            "REDIS_URL": "",
        }
        tokens = Path(folder) / "tokens"
        rookery = [sys.executable, "-m", "server"]
        seed = ["seed", "--people", str(people), "--posts", str(posts), "--tokens", str(tokens)]
        subprocess.run([*rookery, *seed], env=environment, check=True)
        port = free_port()
        with open(f"{folder}/log", "w") as log:
            server = subprocess.Popen([*rookery, "up", "--port", str(port)], env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url, has_ended=lambda: server.poll() is not None, log=Path(folder) / "log")
            yield Target(url, People.from_file(tokens))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(30)

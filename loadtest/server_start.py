"""Starting a server on this machine: a free port for it, and waiting until it serves."""

from __future__ import annotations

import contextlib
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final

START_TIMEOUT_S: Final = 120.0


def free_port() -> int:
    """A port of the loopback address on which nothing listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_until_ready(url: str, *, has_ended: Callable[[], bool], log: Path) -> None:
    """Returns when `/ready` says so. Raises RuntimeError with the server's log if that does not happen."""
    give_up_s = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_s:
        if has_ended():
            raise RuntimeError(f"the server ended at once:\n{log.read_text()}")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            with urllib.request.urlopen(f"{url}/ready", timeout=2) as response:
                if response.status == 200:
                    return
        time.sleep(0.1)
    raise RuntimeError(f"the server was not ready after {START_TIMEOUT_S:.0f} s:\n{log.read_text()}")

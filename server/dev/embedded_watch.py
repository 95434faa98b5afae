"""Restarts embedded servers that die while a command needs them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from server.dev.embedded_binaries import EmbeddedError

LOOK_EVERY_S = 0.5
LONGEST_PAUSE_S = 30.0
"""The longest pause between two starts of a server that dies repeatedly."""


class EmbeddedServer(Protocol):
    """What the watch needs of an embedded server."""

    def died(self) -> bool:
        """Whether the process is gone; a server that is slow to answer has not died."""
        ...

    def start(self) -> None:
        """Returns when the server is ready. Raises EmbeddedError."""
        ...


@contextmanager
def restarted_when_dead(
    servers: Mapping[str, EmbeddedServer],
    *,
    lock: Callable[[], AbstractContextManager[None]],
    report: Callable[[str], None],
) -> Iterator[None]:
    """Inside the block a server that dies is started again; `report` gets a line about each. `servers` are by name.

    Several commands may watch the same servers: each takes the lock and checks again before it starts one. The end of
    the block waits for a start that is in progress.
    """
    watch = _Watch(servers, lock, report)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


class _Watch:
    """Runs in a thread: starting a server blocks, and must not delay the clients of this process."""

    def __init__(
        self,
        servers: Mapping[str, EmbeddedServer],
        lock: Callable[[], AbstractContextManager[None]],
        report: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._lock = lock
        self._report = report
        self._ending = threading.Event()
        self._reported: set[str] = set()
        self._thread = threading.Thread(target=self._run, name="embedded-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = LOOK_EVERY_S
        while not self._ending.wait(pause_s):
            dead = [name for name, server in self._servers.items() if server.died()]
            for name in dead:
                self._restart(name)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s) if dead else max(LOOK_EVERY_S, pause_s / 2)

    def _restart(self, name: str) -> None:
        server = self._servers[name]
        try:
            with self._lock():
                if self._ending.is_set() or not server.died():
                    return
                self._report_once(f"{name} has died: starting it again")
                server.start()
        except EmbeddedError as error:
            self._report_once(f"{name} cannot be started again: {error}")
        else:
            self._reported.clear()
            self._report(f"{name} is back")

    def _report_once(self, text: str) -> None:
        """Reports a text once, until a start succeeds: a server that keeps failing must not repeat itself."""
        if text not in self._reported:
            self._reported.add(text)
            self._report(text)

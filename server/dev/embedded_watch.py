"""Starts the embedded servers again when they die under a command that needs them."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from server.dev.embedded_binaries import EmbeddedError

LOOK_EVERY_S = 0.5
LONGEST_PAUSE_S = 30.0
"""Between two starts of a server that dies again and again."""


class EmbeddedServer(Protocol):
    """What the embedded servers have in common."""

    def died(self) -> bool:
        """Whether there is no process any more; one that is slow to answer lives."""
        ...

    def start(self) -> None:
        """Leave it running and ready. Raises EmbeddedError."""
        ...


@contextmanager
def revived(
    servers: Mapping[str, EmbeddedServer],
    *,
    turn: Callable[[], AbstractContextManager[None]],
    tell: Callable[[str], None],
) -> Iterator[None]:
    """Inside the block a server that dies is started again, and `tell` hears of both; `servers` are by their names.

    Several commands may watch the same servers: whoever has the turn looks again before it starts one. A start that is
    under way at the end of the block is waited for.
    """
    watch = _Watch(servers, turn, tell)
    watch.start()
    try:
        yield
    finally:
        watch.stop()


class _Watch:
    """A thread, since starting a server blocks, and must not hold up the clients of the one that lives."""

    def __init__(
        self,
        servers: Mapping[str, EmbeddedServer],
        turn: Callable[[], AbstractContextManager[None]],
        tell: Callable[[str], None],
    ) -> None:
        self._servers = servers
        self._turn = turn
        self._tell = tell
        self._ending = threading.Event()
        self._told: set[str] = set()
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
                self._revive(name)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s) if dead else max(LOOK_EVERY_S, pause_s / 2)

    def _revive(self, name: str) -> None:
        server = self._servers[name]
        try:
            with self._turn():
                if self._ending.is_set() or not server.died():
                    return
                self._tell_once(f"{name} has died: starting it again")
                server.start()
        except EmbeddedError as error:
            self._tell_once(f"{name} cannot be started again: {error}")
        else:
            self._told.clear()
            self._tell(f"{name} is back")

    def _tell_once(self, text: str) -> None:
        """Until a start succeeds: who fails again and again says each thing once."""
        if text not in self._told:
            self._told.add(text)
            self._tell(text)

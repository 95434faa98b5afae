"""A client that measures again and again how long a server takes to answer."""

from __future__ import annotations

import socket
import time
from types import TracebackType
from typing import Final, Self

from loadtest.bench.frames import connect, event, split, upgrade_request
from loadtest.bench.processes import BenchFailed

_TIMEOUT_S: Final = 30.0


class Probe:
    """One client on a blocking socket of this process."""

    def __init__(self, port: int, token: str | None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        self._question = event("echo", {"text": "probe"}, ack_id=1)
        self._unread = b""
        self._socket.sendall(upgrade_request(port))
        while b"\r\n\r\n" not in self._unread:
            self._receive()
        self._unread = self._unread.partition(b"\r\n\r\n")[2]
        self._until(b"0")
        self._socket.sendall(connect("/", {} if token is None else {"token": token}))
        self._until(b"40")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def answer_s(self) -> float:
        """Sends one event; returns how long its answer took."""
        began_s = time.perf_counter()
        self._socket.sendall(self._question)
        self._until(b"431")
        return time.perf_counter() - began_s

    def _until(self, beginning: bytes) -> None:
        while True:
            payloads, self._unread = split(self._unread)
            if any(payload.startswith(beginning) for payload in payloads):
                return
            self._receive()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65_536)
        except TimeoutError:
            raise BenchFailed(f"no answer within {_TIMEOUT_S:.0f} s") from None
        except OSError as error:
            raise BenchFailed(f"the probe was disconnected: {error.strerror}") from None
        if not data:
            raise BenchFailed("the probe was closed")
        self._unread += data

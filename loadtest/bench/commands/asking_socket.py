"""A client that sends a command as soon as the one before is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from loadtest.bench.answers import data_of, is_accepted, is_refused_for_now
from loadtest.bench.connecting_socket import ClientFailed
from loadtest.bench.frames import masked, split

_ACK: Final = b"43"
_PING: Final = b"2"
_PONG: Final = masked("3")


class AskingSocket(asyncio.Protocol):
    """A connected client; it ignores pushes. `durations_s` are those of the commands since `ask`.

    A server may refuse a command under too much load; the client is quiet then until the next `ask`, as it would be for
    a second. `refused` counts these commands.
    """

    def __init__(self, transport: asyncio.Transport, *, on_end: Callable[[str | None], None]) -> None:
        """`on_end` gets None after the last answer, or why there is none."""
        self._transport = transport
        self._on_end = on_end
        self._unread = b""
        self._frames: Sequence[bytes] = ()
        self._next: dict[str, int] = {}
        self._command = ""
        self._sent_s = 0.0
        self._until_s = 0.0
        self._single: asyncio.Future[bytes] | None = None
        self.durations_s: list[float] = []
        self.refused = 0

    def ask(self, command: str, frames: Sequence[bytes], *, until_s: float) -> None:
        """Sends `frames` in turn until a point in time; they go on where the last call for this command ended."""
        self._command, self._frames, self._until_s = command, frames, until_s
        self.durations_s, self.refused = [], 0
        self._send()

    async def ask_once(self, frame: bytes) -> Any:
        """The data of the answer to this one command. Raises ClientFailed where it is refused."""
        self._single = asyncio.get_running_loop().create_future()
        self._transport.write(frame)
        payload = await self._single
        self._single = None
        return data_of(payload)

    def close(self) -> None:
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        failure = f"a client was closed: {error}"
        if self._single is not None:
            self._single.set_exception(ClientFailed(failure))
        self._on_end(failure)

    def data_received(self, data: bytes) -> None:
        payloads, self._unread = split(self._unread + data if self._unread else data)
        for payload in payloads:
            if payload.startswith(_ACK):
                self._answered(payload)
            elif payload == _PING:
                self._transport.write(_PONG)

    def _send(self) -> None:
        number = self._next.get(self._command, 0)
        self._next[self._command] = (number + 1) % len(self._frames)
        self._sent_s = time.perf_counter()
        self._transport.write(self._frames[number])

    def _answered(self, answer: bytes) -> None:
        if self._single is not None:
            self._single.set_result(answer)
            return
        now_s = time.perf_counter()
        if is_accepted(answer):
            self.durations_s.append(now_s - self._sent_s)
            if now_s < self._until_s:
                self._send()
            else:
                self._on_end(None)
        elif is_refused_for_now(answer):
            self.refused += 1
            self._on_end(None)
        else:
            self._on_end(f"answered {answer[:200]!r}")

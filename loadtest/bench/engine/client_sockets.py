"""The sockets of the load clients once they are connected: they count what they receive without parsing it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from loadtest.bench.connecting_socket import ClientFailed
from loadtest.bench.frames import frame_size


class DeliveryCounter:
    """What all clients together have received. Frames expected at one time are equal, so counting bytes is enough."""

    def __init__(self) -> None:
        self.frame_bytes = 0
        self.lost = 0
        self.received_at_s: list[float] = []
        self._bytes = 0
        self._frames_wanted = 0
        self._done: asyncio.Future[None] | None = None

    def expect(self, frames: int) -> asyncio.Future[None]:
        """Starts to count; the result is done as soon as this many frames have arrived."""
        self.received_at_s = []
        self.frame_bytes = 0
        self._bytes = 0
        self._frames_wanted = frames
        self._done = asyncio.get_running_loop().create_future()
        return self._done

    def receive(self, data: bytes) -> None:
        self.received_at_s.append(time.perf_counter())
        if not self.frame_bytes:
            self.frame_bytes = frame_size(data)
        self._bytes += len(data)
        wanted_bytes = self._frames_wanted * self.frame_bytes
        if self._bytes >= wanted_bytes and self._done is not None and not self._done.done():
            if self._bytes > wanted_bytes:
                self._done.set_exception(ClientFailed(f"{self._bytes - wanted_bytes} bytes more than expected"))
            else:
                self._done.set_result(None)

    def connection_lost(self) -> None:
        self.lost += 1
        if self._done is not None and not self._done.done():
            self._done.set_exception(ClientFailed("a client was closed"))


class CountingSocket(asyncio.Protocol):
    """Counts the bytes that it receives."""

    def __init__(self, counter: DeliveryCounter) -> None:
        self.data_received = counter.receive  # type: ignore[method-assign]  # one call less for each delivery
        self._counter = counter

    def connection_lost(self, error: Exception | None) -> None:
        self._counter.connection_lost()


class EchoingSocket(asyncio.Protocol):
    """Sends `question` again as soon as it is answered, until `again` returns False; then calls `on_end`."""

    def __init__(
        self, transport: asyncio.Transport, question: bytes, *, again: Callable[[], bool], on_end: Callable[[], None]
    ) -> None:
        self._transport = transport
        self._question = question
        self._again = again
        self._on_end = on_end
        self._expected_bytes = 0
        self._bytes = 0
        self.answers = 0
        self.last_answer = b""

    def ask(self) -> None:
        self._transport.write(self._question)

    def connection_lost(self, error: Exception | None) -> None:
        self._on_end()

    def data_received(self, data: bytes) -> None:
        if not self._expected_bytes:
            self._expected_bytes = frame_size(data)
        self._bytes += len(data)
        if self._bytes < self._expected_bytes:
            return
        self._bytes = 0
        self.answers += 1
        self.last_answer = data
        if self._again():
            self._transport.write(self._question)
        else:
            self._on_end()

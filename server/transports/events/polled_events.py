"""What a long-polling client is given: the events of one poll."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.protocol.json_events import JsonEvent


class PolledEvents:
    """The transport of one poll, which ends with the first events, a server that stops, or a newer poll.

    `items` are encoded events in order; `offsets` has the last replayable one of each namespace. `left_out` are the
    names of pushes that are not given to polling clients.
    """

    name: Literal["polling"] = "polling"

    def __init__(self, left_out: frozenset[str] = frozenset()) -> None:
        self._left_out = left_out
        self._ready = asyncio.Event()
        self.items: list[bytes] = []
        self.offsets: dict[str, str] = {}

    async def wait(self, timeout_s: float) -> None:
        """Returns when there is something to answer, or after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return

    def clear(self) -> None:
        """Drops all events so far."""
        self.items.clear()
        self.offsets.clear()
        self._ready.clear()

    def write(self, packet: Outgoing) -> None:
        """Takes the events of the connection; other packets mean nothing to a poll."""
        if not isinstance(packet, JsonEvent) or packet.name in self._left_out:
            return
        if packet.offset is not None:
            self.offsets[packet.namespace] = packet.offset
        self.items.append(packet.payload)
        self._ready.set()

    @property
    def unread_bytes(self) -> int:
        return sum(map(len, self.items))

    def call_when_stalled(self, action: Callable[[], None]) -> None:
        """A poll never stalls: its answer holds the events of one turn of the loop, and nothing is written after it."""

    def close(self, reason: CloseReason) -> None:
        self._ready.set()

    def finish_close(self) -> None:
        self._ready.set()

    def abort(self) -> None:
        self._ready.set()

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

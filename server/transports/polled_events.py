"""What a long-polling client is given: the events of one poll, and the cursor from which the next one continues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.protocol.json_events import JsonEvent


class Position(NamedTuple):
    """A client's position in one namespace: its private id there, and the last push that it has; None: none yet."""

    pid: str
    offset: str | None


def write_cursor(positions: Sequence[Position]) -> str:
    return "~".join(f"{position.pid}~{position.offset or ''}" for position in positions)


def read_cursor(cursor: str, count: int) -> Sequence[Position] | None:
    """The positions in `count` namespaces; None when it is no cursor of that many."""
    parts = cursor.split("~")
    if len(parts) != 2 * count:
        return None
    return [Position(pid, offset or None) for pid, offset in zip(parts[::2], parts[1::2], strict=True)]


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

"""What a client without a socket is given: the events of one poll, and the cursor to go on from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import orjson

from handlers.accounts.contract import SESSION_REVOKED, TOKEN_EXPIRING
from realtime.contract.errors import CloseReason
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.replay.push_ids import PushIds

UNHEARD = frozenset((SESSION_REVOKED.name, TOKEN_EXPIRING.name))
"""What concerns connections: a poll shows its token each time, and is answered by it."""
_EVENT = b"42"


class Place(NamedTuple):
    """Where a client stands in one namespace: its private id there, and the last push that it has, None before any."""

    pid: str
    offset: str | None


def write_cursor(places: Sequence[Place]) -> str:
    return "~".join(f"{place.pid}~{place.offset or ''}" for place in places)


def read_cursor(cursor: str, count: int) -> Sequence[Place] | None:
    """The places in so many namespaces; None for what is no cursor of so many."""
    parts = cursor.split("~")
    if len(parts) != 2 * count:
        return None
    return [Place(pid, offset or None) for pid, offset in zip(parts[::2], parts[1::2], strict=True)]


class PolledEvents:
    """The transport of one poll: it ends with the first events, a server that closes, or a newer poll.

    `items` are encoded events in the order in which they came; `offsets` tells the last of each namespace that can be
    followed up. What is never replayed gets an id of its own.
    """

    name: Literal["polling"] = "polling"

    def __init__(self, ids: PushIds) -> None:
        self._ids = ids
        self._come = asyncio.Event()
        self.items: list[bytes] = []
        self.offsets: dict[str, str] = {}

    async def wait(self, timeout_s: float) -> None:
        """Returns when there is anything to answer, or after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._come.wait()
        except TimeoutError:
            return

    def clear(self) -> None:
        """Takes back what has come by now."""
        self.items.clear()
        self.offsets.clear()
        self._come.clear()

    def write(self, packet: Outgoing) -> None:
        """Takes a Socket.IO packet in JSON; only events are told."""
        kind, rest = packet.payload[:2], packet.payload[2:]
        if kind != _EVENT:
            return
        head, _, body = rest.partition(b",")
        namespace, (name, data, *offset) = head.decode(), orjson.loads(body)
        if name in UNHEARD:
            return
        if offset:
            self.offsets[namespace] = offset[0]
        event: Mapping[str, object] = {
            "id": offset[0] if offset else self._ids.make(),
            "namespace": namespace,
            "name": name,
            "data": data,
        }
        self.items.append(orjson.dumps(event))
        self._come.set()

    @property
    def unread_bytes(self) -> int:
        return sum(map(len, self.items))

    def watch(self, on_stalled: Callable[[], None]) -> None:
        """Nothing stalls: an answer holds what came in one turn, and no more is written after it."""

    def close(self, reason: CloseReason) -> None:
        self._come.set()

    def release(self) -> None:
        self._come.set()

    def abort(self) -> None:
        self._come.set()

    def hold(self) -> None: ...

    def go_on(self) -> None: ...

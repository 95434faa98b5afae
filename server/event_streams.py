"""What a client without a socket has not fetched yet: its pushes, numbered, in the memory of one node."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from realtime.engine.hub import Member
from realtime.identity import Identity

MAX_KEPT_BYTES = 1_000_000
EVENT_OVERHEAD_BYTES = 200
"""What an event takes in memory beside its data; many small ones must not get around the bound."""
MAX_STREAMS_PER_LOGIN = 8


class KeptEvent(NamedTuple):
    """A push as a long-poll client gets it; `data` is encoded JSON."""

    number: int
    namespace: str
    name: str
    data: bytes


@dataclass(eq=False, slots=True)
class StreamMember:
    """A stream's presence in one namespace's rooms."""

    namespace: str
    stream: EventStream
    rooms: set[str] = field(default_factory=set)

    def send(self, event: str, data: bytes) -> None:
        self.stream.append(self.namespace, event, data)


class EventStream:
    """Pushes of one client since it began to poll. What is fetched is kept until the next poll confirms it.

    Over MAX_KEPT_BYTES the oldest are dropped: a cursor before them is answered with `resync`.
    """

    def __init__(self, identity: Identity, namespaces: Sequence[str], now_s: float) -> None:
        self.key = secrets.token_urlsafe(12)
        self.identity = identity
        self.members: tuple[Member, ...] = tuple(StreamMember(namespace, self) for namespace in namespaces)
        self.polled_at_s = now_s
        self.closed = False
        self._kept: deque[KeptEvent] = deque()
        self._kept_bytes = 0
        self._last = 0
        self._confirmed = 0
        self._waiter: asyncio.Future[None] | None = None

    @property
    def confirmed(self) -> int:
        """The number of the last event that the client is known to have."""
        return self._confirmed

    @property
    def waiting(self) -> bool:
        return self._waiter is not None

    def append(self, namespace: str, name: str, data: bytes) -> None:
        self._last += 1
        self._kept.append(KeptEvent(self._last, namespace, name, data))
        self._kept_bytes += len(data) + EVENT_OVERHEAD_BYTES
        while self._kept_bytes > MAX_KEPT_BYTES:
            self._confirmed = self._drop_first()
        self.wake()

    def confirm(self, number: int) -> bool:
        """Forgets what the client has. False when events after this number are gone, or it never had this number."""
        if not self._confirmed <= number <= self._last:
            return False
        while self._kept and self._kept[0].number <= number:
            self._drop_first()
        self._confirmed = number
        return True

    async def wait(self, timeout_s: float) -> Sequence[KeptEvent]:
        """What is there, or the first that comes; nothing after the timeout. A newer poll ends an older one."""
        self.wake()
        if not self._kept and not self.closed:
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                async with asyncio.timeout(timeout_s):
                    await waiter
            except TimeoutError:
                pass
            finally:
                if self._waiter is waiter:
                    self._waiter = None
        return tuple(self._kept)

    def wake(self) -> None:
        """Lets the poll that waits answer now."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
        self._waiter = None

    def _drop_first(self) -> int:
        dropped = self._kept.popleft()
        self._kept_bytes -= len(dropped.data) + EVENT_OVERHEAD_BYTES
        return dropped.number


class EventStreams:
    """The streams of this node, by key."""

    def __init__(self) -> None:
        self._streams: dict[str, EventStream] = {}

    def add(self, stream: EventStream) -> Sequence[EventStream]:
        """Takes a stream in; returns the oldest of the same login that have to go for it."""
        self._streams[stream.key] = stream
        same = [
            other
            for other in self._streams.values()
            if other.identity.login_session_id == stream.identity.login_session_id
        ]
        return same[:-MAX_STREAMS_PER_LOGIN]

    def find(self, key: str, identity: Identity) -> EventStream | None:
        """The stream of this key if it is this login session's."""
        stream = self._streams.get(key)
        if stream is None or stream.identity.login_session_id != identity.login_session_id:
            return None
        return stream

    def remove(self, stream: EventStream) -> None:
        self._streams.pop(stream.key, None)
        stream.closed = True
        stream.wake()

    def idle(self, before_s: float) -> Sequence[EventStream]:
        """Those that nobody has polled since this time."""
        return [stream for stream in self._streams.values() if not stream.waiting and stream.polled_at_s < before_s]

    def all(self) -> Sequence[EventStream]:
        return list(self._streams.values())

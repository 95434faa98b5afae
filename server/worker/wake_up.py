"""Wakes the consumers of Facts on all nodes when Facts were committed."""

from __future__ import annotations

import asyncio

from realtime.process.background_tasks import end_task
from realtime.pubsub.backplane import Backplane

CHANNEL = "facts"
_FACTS, _LANES = b"facts ", b"lanes "


class WakeUp:
    """Tells readers of the log, here and over Redis, that there is something to read or that lanes are free.

    A message that is lost costs time only: readers also look by themselves.
    """

    def __init__(self, backplane: Backplane) -> None:
        self._backplane = backplane
        self._own_id = backplane.node_id.encode()
        self._readers: list[asyncio.Event] = []
        self._claimers: list[asyncio.Event] = []
        self._to_send: set[bytes] = set()
        self._sending: asyncio.Task[None] | None = None

    def on_new_facts(self, event: asyncio.Event) -> None:
        """Sets the event each time that there may be Facts to read."""
        self._readers.append(event)

    def on_free_lanes(self, event: asyncio.Event) -> None:
        """Sets the event each time that another worker has given up lanes."""
        self._claimers.append(event)

    def facts_committed(self) -> None:
        """Wakes the readers of this process at once, and soon those of the others."""
        _set_all(self._readers)
        self._send(_FACTS)

    def lanes_given_up(self) -> None:
        """Lets other workers claim lanes at once."""
        self._send(_LANES)

    async def stop(self) -> None:
        """Sends what is to be sent still, unless Redis is away."""
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=0.2)
        await end_task(self._sending)
        self._sending = None

    def on_message(self, body: bytes) -> None:
        kind, sender = body[: len(_FACTS)], body[len(_FACTS) :]
        if sender != self._own_id:
            _set_all(self._readers if kind == _FACTS else self._claimers)

    def on_missed(self) -> None:
        _set_all(self._readers)
        _set_all(self._claimers)

    def _send(self, kind: bytes) -> None:
        self._to_send.add(kind)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_all(), name="facts-wake-up")

    async def _send_all(self) -> None:
        # What is added while a message is under way goes with the next one.
        while self._to_send:
            kinds, self._to_send = self._to_send, set()
            await self._backplane.publish([(CHANNEL, kind + self._own_id) for kind in sorted(kinds)])


def _set_all(events: list[asyncio.Event]) -> None:
    for event in events:
        event.set()

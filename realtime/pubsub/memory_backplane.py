"""The backplane within one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import structlog

from realtime.pubsub.backplane import check_bodies
from realtime.pubsub.room_names import EVERY_NODE_CHANNEL, node_channel

log = structlog.get_logger(__name__)


class MemoryBroker:
    """Carries messages between the memory backplanes that share it."""

    def __init__(self) -> None:
        self._nodes: dict[str, list[MemoryBackplane]] = {}

    def attach(self, channel: str, node: MemoryBackplane) -> None:
        self._nodes.setdefault(channel, []).append(node)

    def detach(self, channel: str, node: MemoryBackplane) -> None:
        nodes = self._nodes[channel]
        nodes.remove(node)
        if not nodes:
            del self._nodes[channel]

    def publish(self, channel: str, body: bytes) -> None:
        """Delivers in the loop's next turn, in the order of the calls, to the nodes that are attached now."""
        loop = asyncio.get_running_loop()
        for node in self._nodes.get(channel, ()):
            loop.call_soon(node.deliver, channel, body)


class MemoryBackplane:
    """For a server of one node: nothing leaves the process, nothing gets lost, `on_missed` is never called."""

    def __init__(self, node_id: str, broker: MemoryBroker | None = None) -> None:
        self._node_id = node_id
        self._broker = broker or MemoryBroker()
        self._references: dict[str, int] = {}
        self._started = False

    @property
    def node_id(self) -> str:
        return self._node_id

    @property
    def problem(self) -> str | None:
        return None if self._started else "not started"

    async def start(self, *, on_message: Callable[[str, bytes], None], on_missed: Callable[[str], None]) -> None:
        self._on_message = on_message
        self._started = True
        await self.subscribe(node_channel(self._node_id), EVERY_NODE_CHANNEL)

    async def stop(self) -> None:
        self._started = False
        for channel in self._references:
            self._broker.detach(channel, self)
        self._references.clear()

    async def subscribe(self, *channels: str) -> bool:
        for channel in channels:
            references = self._references.get(channel, 0)
            if not references:
                self._broker.attach(channel, self)
            self._references[channel] = references + 1
        return True

    async def unsubscribe(self, channel: str) -> None:
        references = self._references.get(channel, 0)
        if references > 1:
            self._references[channel] = references - 1
        elif references:
            del self._references[channel]
            self._broker.detach(channel, self)

    async def barrier(self) -> bool:
        loop = asyncio.get_running_loop()
        handled = loop.create_future()
        loop.call_soon(handled.set_result, None)  # behind all deliveries so far
        await handled
        return self._started

    async def publish(self, messages: Sequence[tuple[str, bytes]]) -> bool:
        check_bodies(messages)
        for channel, body in messages:
            self._broker.publish(channel, body)
        return True

    def deliver(self, channel: str, body: bytes) -> None:
        """Passes on a message from the broker, unless the channel was unsubscribed meanwhile."""
        if channel not in self._references:
            return
        try:
            self._on_message(channel, body)
        except Exception:
            log.exception("message_not_handled", channel=channel)

"""A node of the backplane that records what it receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from realtime.pubsub.backplane import Backplane


class ReceivingNode:
    """Keeps every message and every loss that the backplane reports, in the order of their arrival."""

    def __init__(self, backplane: Backplane) -> None:
        self.backplane = backplane
        self.received: list[tuple[str, bytes | None]] = []
        self._news = asyncio.Event()

    def on_message(self, channel: str, body: bytes) -> None:
        self._record(channel, body)

    def on_missed(self, channel: str) -> None:
        self._record(channel, None)

    def _record(self, channel: str, body: bytes | None) -> None:
        self.received.append((channel, body))
        self._news.set()

    def bodies(self, channel: str) -> list[bytes]:
        return [body for name, body in self.received if name == channel and body is not None]

    def missed(self) -> list[str]:
        return [name for name, body in self.received if body is None]

    async def until(self, condition: Callable[[], bool], within_s: float = 10.0) -> None:
        """Waits until a message or a loss makes the condition true."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_count(self, count: int) -> None:
        await self.until(lambda: len(self.received) >= count)

    async def until_last_of(self, channel: str, body: bytes) -> None:
        await self.until(lambda: self.bodies(channel)[-1:] == [body])

    async def until_missed(self, channel: str) -> None:
        await self.until(lambda: channel in self.missed())


@asynccontextmanager
async def receiving_nodes(*backplanes: Backplane) -> AsyncIterator[list[ReceivingNode]]:
    """Started nodes; stopped afterwards."""
    async with AsyncExitStack() as stack:
        nodes = []
        for backplane in backplanes:
            node = ReceivingNode(backplane)
            await backplane.start(on_message=node.on_message, on_missed=node.on_missed)
            stack.push_async_callback(backplane.stop)
            nodes.append(node)
        yield nodes

"""A node of the backplane that writes down what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from realtime.pubsub.backplane import Backplane


class Listening:
    """Keeps every message and gap of a backplane in the order of their arrival."""

    def __init__(self, backplane: Backplane) -> None:
        self.backplane = backplane
        self.heard: list[tuple[str, bytes | None]] = []
        self._news = asyncio.Event()

    def on_message(self, channel: str, body: bytes) -> None:
        self._write_down(channel, body)

    def on_missed(self, channel: str) -> None:
        self._write_down(channel, None)

    def _write_down(self, channel: str, body: bytes | None) -> None:
        self.heard.append((channel, body))
        self._news.set()

    def bodies(self, channel: str) -> list[bytes]:
        return [body for name, body in self.heard if name == channel and body is not None]

    def resync_notifier(self) -> list[str]:
        return [name for name, body in self.heard if body is None]

    async def until(self, condition: Callable[[], bool], within_s: float = 10.0) -> None:
        """Waits for something to become true through a message or a gap."""
        async with asyncio.timeout(within_s):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def until_count(self, count: int) -> None:
        await self.until(lambda: len(self.heard) >= count)

    async def until_last_of(self, channel: str, body: bytes) -> None:
        await self.until(lambda: self.bodies(channel)[-1:] == [body])

    async def until_gap(self, channel: str) -> None:
        await self.until(lambda: channel in self.resync_notifier())


@asynccontextmanager
async def listening(*backplanes: Backplane) -> AsyncIterator[list[Listening]]:
    """Started nodes; stopped afterwards."""
    async with AsyncExitStack() as stack:
        nodes = []
        for backplane in backplanes:
            node = Listening(backplane)
            await backplane.start(on_message=node.on_message, on_missed=node.on_missed)
            stack.push_async_callback(backplane.stop)
            nodes.append(node)
        yield nodes

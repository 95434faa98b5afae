"""The common interface of test devices, whatever client library they use: calls, and pushes received."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from tests.kit.traffic import record_push

PUSH_TIMEOUT_S = 10.0


class HeardPush(NamedTuple):
    namespace: str
    name: str
    data: Any
    at_s: float
    """When it was received, on the clock of the event loop."""


class Hearing:
    """One connection. `heard` holds every push in order, `pushes` those that no `expect_push` has consumed yet."""

    def __init__(self) -> None:
        self._arrived = asyncio.Condition()
        self.pushes: list[HeardPush] = []
        self.heard: list[HeardPush] = []

    async def call(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        """The whole answer of a command, ok or not."""
        raise NotImplementedError

    async def do(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        """The data of a command that must succeed."""
        answer = await self.call(namespace, name, payload)
        assert answer["ok"], f"{name} failed: {answer['error']}"
        data: dict[str, Any] = answer["data"]
        return data

    async def expect_push(self, name: str, *, timeout_s: float = PUSH_TIMEOUT_S) -> Any:
        """Waits for and consumes the earliest push of this name; returns its data."""
        async with asyncio.timeout(timeout_s):
            async with self._arrived:
                while True:
                    for index, push in enumerate(self.pushes):
                        if push.name == name:
                            del self.pushes[index]
                            return push.data
                    await self._arrived.wait()

    async def expect_silence(self, name: str, *, within_s: float = 0.3) -> None:
        """Fails when a push of this name arrives within the time, or has arrived already and was not consumed."""
        await asyncio.sleep(within_s)
        heard = [push for push in self.pushes if push.name == name]
        assert not heard, f"expected no {name}, heard {heard}"

    async def _hear(self, namespace: str, name: str, data: Any) -> None:
        record_push(namespace, name, data)
        push = HeardPush(namespace, name, data, asyncio.get_running_loop().time())
        self.pushes.append(push)
        self.heard.append(push)
        async with self._arrived:
            self._arrived.notify_all()

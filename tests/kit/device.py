"""A client device of a person: the official Python Socket.IO client, with the pushes that it heard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import socketio

CALL_TIMEOUT_S = 20
PUSH_TIMEOUT_S = 10.0


class HeardPush(NamedTuple):
    namespace: str
    name: str
    data: Any


class Device:
    """One connection. `pushes` holds everything heard and not yet expected, in order."""

    def __init__(self) -> None:
        self._client = socketio.AsyncClient(reconnection=False)
        self._arrived = asyncio.Condition()
        self.pushes: list[HeardPush] = []
        self.heard: list[HeardPush] = []
        self._loops: list[asyncio.Task[None]] = []

    async def connect(
        self,
        url: str,
        auth: Mapping[str, object],
        namespaces: Sequence[str],
        *,
        transports: Sequence[str] = ("websocket",),
    ) -> None:
        """Raises socketio.exceptions.ConnectionError when a namespace is refused."""
        for namespace in namespaces:
            self._client.on("*", self._hearer(namespace), namespace=namespace)
        await self._client.connect(
            url, auth=dict(auth), namespaces=list(namespaces), transports=list(transports), wait_timeout=20
        )
        self._loops = [self._client.eio.read_loop_task, self._client.eio.write_loop_task]

    @property
    def connected(self) -> bool:
        return bool(self._client.connected)

    async def call(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        """The whole answer of a command, ok or not."""
        data = {} if payload is None else payload
        answer = await self._client.call(name, data, namespace=namespace, timeout=CALL_TIMEOUT_S)
        assert isinstance(answer, dict), f"{name} answered {answer!r}"
        return answer

    async def do(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        """The data of a command that must succeed."""
        answer = await self.call(namespace, name, payload)
        assert answer["ok"], f"{name} failed: {answer['error']}"
        data: dict[str, Any] = answer["data"]
        return data

    async def expect_push(self, name: str, *, timeout_s: float = PUSH_TIMEOUT_S) -> Any:
        """The data of the earliest push of this name not yet expected; waits for it."""
        async with asyncio.timeout(timeout_s):
            async with self._arrived:
                while True:
                    for index, push in enumerate(self.pushes):
                        if push.name == name:
                            del self.pushes[index]
                            return push.data
                    await self._arrived.wait()

    async def expect_silence(self, name: str, *, within_s: float = 0.3) -> None:
        """Fails when a push of this name arrives within the time, or has arrived already and was not expected."""
        await asyncio.sleep(within_s)
        heard = [push for push in self.pushes if push.name == name]
        assert not heard, f"expected no {name}, heard {heard}"

    async def expect_closed(self, *, timeout_s: float = PUSH_TIMEOUT_S) -> None:
        """Waits until the server has ended the connection."""
        async with asyncio.timeout(timeout_s):
            while self._client.connected:
                await asyncio.sleep(0.01)
        # On polling the client's loops stay for a quarter of a minute after the server's close packet.
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    async def close(self) -> None:
        await self._client.disconnect()

    def _hearer(self, namespace: str) -> Any:
        async def hear(event: str, data: Any = None) -> None:
            push = HeardPush(namespace, event, data)
            async with self._arrived:
                self.pushes.append(push)
                self.heard.append(push)
                self._arrived.notify_all()

        return hear

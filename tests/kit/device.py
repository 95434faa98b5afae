"""A user's device: the official Python Socket.IO client, with the pushes that it received."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import socketio

from tests.kit.hearing import PUSH_TIMEOUT_S, Hearing
from tests.kit.traffic import record_call

CALL_TIMEOUT_S = 20


class Device(Hearing):
    """One connection."""

    def __init__(self) -> None:
        super().__init__()
        self._client = socketio.AsyncClient(reconnection=False)
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
        data = {} if payload is None else payload
        answer = await self._client.call(name, data, namespace=namespace, timeout=CALL_TIMEOUT_S)
        assert isinstance(answer, dict), f"{name} answered {answer!r}"
        record_call(namespace, name, data, answer)
        return answer

    async def expect_closed(self, *, timeout_s: float = PUSH_TIMEOUT_S) -> None:
        """Waits until the server has ended the connection."""
        async with asyncio.timeout(timeout_s):
            while self._client.connected:
                await asyncio.sleep(0.01)
        # On polling the client's loops run on for 15 s after the server's close packet.
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    async def close(self) -> None:
        await self._client.disconnect()

    def _hearer(self, namespace: str) -> Any:
        async def hear(event: str, data: Any = None) -> None:
            await self._hear(namespace, event, data)

        return hear

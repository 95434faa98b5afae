"""Devices with the official JavaScript client that lose their connections and reconnect by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.journeys.javascript import JavaScript, javascript

WAIT_S = 15.0


@dataclass(frozen=True, slots=True)
class Joined:
    """One accepted CONNECT."""

    namespace: str
    sid: str
    recovered: bool


class RecoveringDevice:
    """One client. `heard` holds, by namespace, the arguments of each event received, its name first."""

    def __init__(self, clients: JavaScript, namespaces: Sequence[str]) -> None:
        self._clients = clients
        self._news = asyncio.Condition()
        self.joined: list[Joined] = []
        self.refused: list[Any] = []
        self.heard: dict[str, list[list[Any]]] = {namespace: [] for namespace in namespaces}
        self._number = clients.add(self)

    async def hear(self, line: Mapping[str, Any]) -> None:
        async with self._news:
            if "args" in line:
                self.heard[line["namespace"]].append(line["args"])
            elif "connected" in line:
                self.joined.append(Joined(line["namespace"], line["connected"], line["recovered"]))
            elif "refused" in line:
                self.refused.append(line["refused"])
            self._news.notify_all()

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(WAIT_S):
            async with self._news:
                await self._news.wait_for(reached)

    async def ask(self, verb: str, **arguments: object) -> Any:
        return await self._clients.ask(verb, device=self._number, **arguments)

    async def joins(self, times: int) -> Joined:
        """Waits until `times` CONNECTs were accepted in total; returns the last of them."""
        await self.until(lambda: len(self.joined) >= times)
        return self.joined[times - 1]

    def told(self, namespace: str, event: str) -> list[list[Any]]:
        """The arguments of all pushes of this name that were received."""
        return [args[1:] for args in self.heard[namespace] if args[0] == event]

    async def until_told(self, namespace: str, event: str, times: int = 1) -> list[list[Any]]:
        await self.until(lambda: len(self.told(namespace, event)) >= times)
        return self.told(namespace, event)


@asynccontextmanager
async def recovering_clients() -> AsyncIterator[JavaScript]:
    async with javascript("recovering.mjs") as clients:
        yield clients


@asynccontextmanager
async def recovering_device(
    clients: JavaScript,
    url: str,
    *,
    namespaces: Sequence[str] = ("/chat",),
    transports: Sequence[str] = ("websocket",),
    msgpack: bool = False,
    options: Mapping[str, object] | None = None,
    **auth: object,
) -> AsyncIterator[RecoveringDevice]:
    """A client that asks for recovery and has joined its namespaces, on the path of its encoding.

    `options` are more options of the official client.
    """
    device = RecoveringDevice(clients, namespaces)
    await device.ask(
        "connect",
        url=url,
        path="/socket.io-msgpack/" if msgpack else "/socket.io/",
        auth={"recovery": True, **auth},
        namespaces=list(namespaces),
        transports=list(transports),
        msgpack=msgpack,
        options=options or {},
    )
    try:
        await device.joins(len(namespaces))
        yield device
    finally:
        await device.ask("close")

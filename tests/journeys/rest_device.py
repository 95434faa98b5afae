"""A device without a socket: it calls over REST, and long-polls for the pushes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
import orjson

from realtime.contract.rest import CALLER, takes_body
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.kit.hearing import PUSH_TIMEOUT_S, Hearing

FEED = "/feed"
_STANDS_IN = {"feed:subscribe": "feed:page"}
"""A client that polls is subscribed already: for it subscribing only reads the first page."""


class RestDevice(Hearing):
    """One client, with the interface of the Python device."""

    def __init__(self) -> None:
        super().__init__()
        self._registry = Registry(FEATURES)
        self._http: aiohttp.ClientSession | None = None
        self._url = ""
        self._polling: asyncio.Task[None] | None = None

    async def connect(
        self,
        url: str,
        auth: Mapping[str, object],
        namespaces: Sequence[str],
        *,
        transports: Sequence[str] = (),
    ) -> None:
        """Receives the pushes of all namespaces, whichever are named."""
        self._url = f"{url}/v1"
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {auth['token']}"})
        self._polling = asyncio.create_task(self._poll((await self._get_events(""))["cursor"]))

    @property
    def connected(self) -> bool:
        return self._polling is not None and not self._polling.done()

    async def call(self, namespace: str, name: str, payload: object = None) -> dict[str, Any]:
        bound = self._registry.find(namespace, _STANDS_IN.get(name, name))
        assert bound is not None and self._http is not None and (payload is None or isinstance(payload, dict))
        route, given = bound.command.routes[0], dict(payload or {})
        path = route.path.format_map({**given, CALLER: "me"})
        rest = {field: value for field, value in given.items() if f"{{{field}}}" not in route.path}
        takes_query = not takes_body(route)
        async with self._http.request(
            route.method,
            self._url + path,
            params={field: str(value) for field, value in rest.items()} if takes_query else None,
            data=None if takes_query else orjson.dumps(rest),
        ) as response:
            answer = orjson.loads(await response.read())
        assert isinstance(answer, dict), f"{name} answered {answer!r}"
        return answer

    async def expect_closed(self, *, timeout_s: float = PUSH_TIMEOUT_S) -> None:
        """Waits until it has stopped polling."""
        async with asyncio.timeout(timeout_s):
            while self.connected:
                await asyncio.sleep(0.01)

    async def close(self) -> None:
        assert self._polling is not None and self._http is not None
        self._polling.cancel()
        await asyncio.wait([self._polling])
        await self._http.close()

    async def _poll(self, cursor: str) -> None:
        while True:
            data = await self._get_events(cursor)
            cursor = data["cursor"]
            for event in data["events"]:
                await self._hear(event["namespace"], event["name"], event["data"])
            if "resync" in data:
                await self._hear(FEED, "resync", {"scope": data["resync"]})

    async def _get_events(self, cursor: str) -> dict[str, Any]:
        assert self._http is not None
        async with self._http.get(f"{self._url}/events", params={"cursor": cursor} if cursor else {}) as response:
            answer = orjson.loads(await response.read())
        assert answer["ok"], answer
        data: dict[str, Any] = answer["data"]
        return data

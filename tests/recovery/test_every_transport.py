"""One scenario with an absence over every transport: the same store at the end, which is what a fresh read shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from tests.contract.reference_client import ReferenceClient
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import Person, RunningServer
from tests.recovery.talk import say, two_who_talk
from tests.server.transports.events.test_event_stream import Stream, stream
from tests.server.transports.events.test_long_polling import Poller, poller

WITHIN_S = 10.0
NAMESPACES = ("/chat", "/feed", "/users")
KNOWN_OTHERWISE = frozenset({"conversation:position", "post:counters"})
"""Repetitions, and what a store is not kept by."""


class Listener(Protocol):
    """A client on some transport."""

    async def news(self) -> Sequence[tuple[str, dict[str, Any]]]:
        """Pushes that came since the last call, by name; perhaps none."""

    async def leave(self) -> None: ...

    async def come_back(self) -> None: ...


class OnSocket:
    """The official JavaScript client."""

    def __init__(self, device: RecoveringDevice) -> None:
        self._device = device
        self._read = dict.fromkeys(NAMESPACES, 0)

    async def news(self) -> Sequence[tuple[str, dict[str, Any]]]:
        found = []
        for namespace in NAMESPACES:
            heard = self._device.heard[namespace]
            found += [(name, data) for name, data, *_ in heard[self._read[namespace] :]]
            self._read[namespace] = len(heard)
        return found

    async def leave(self) -> None:
        await self._device.ask("drop")  # it comes back by itself

    async def come_back(self) -> None:
        await self._device.joins(2 * len(NAMESPACES))


class OnPolls:
    def __init__(self, client: Poller) -> None:
        self._client = client

    async def news(self) -> Sequence[tuple[str, dict[str, Any]]]:
        data = await self._client.poll(timeout_s=0)
        return [(event["name"], event["data"]) for event in data["events"]]

    async def leave(self) -> None: ...

    async def come_back(self) -> None: ...


class OnStream:
    def __init__(self, server: RunningServer, person: Person) -> None:
        self._server = server
        self._person = person
        self._cursor: str | None = None
        self._stack = AsyncExitStack()
        self._stream: Stream | None = None
        self._reading: asyncio.Task[None] | None = None
        self._heard: list[tuple[str, dict[str, Any]]] = []

    async def news(self) -> Sequence[tuple[str, dict[str, Any]]]:
        heard, self._heard = self._heard, []
        return heard

    async def leave(self) -> None:
        if self._reading is not None and self._stream is not None:
            self._reading.cancel()
            await asyncio.wait([self._reading])
            self._cursor = self._stream.id
            await self._stack.aclose()

    async def come_back(self) -> None:
        opened = stream(self._server, token=self._person.access_token, cursor=self._cursor)
        self._stream = await self._stack.enter_async_context(opened)
        self._reading = asyncio.create_task(self._read(self._stream))

    async def _read(self, opened: Stream) -> None:
        while (event := await opened.next()) is not None:
            self._heard.append((event.name, event.data["data"]))


@asynccontextmanager
async def every_transport(server: RunningServer, clients: JavaScript, reader: Person) -> AsyncIterator[list[Listener]]:
    token = reader.access_token
    async with (
        recovering_device(clients, server.url, namespaces=NAMESPACES, token=token) as websocket,
        recovering_device(clients, server.url, namespaces=NAMESPACES, token=token, transports=["polling"]) as polling,
        recovering_device(clients, server.url, namespaces=NAMESPACES, token=token, msgpack=True) as msgpack,
    ):
        devices = (websocket, polling, msgpack)
        for device in devices:
            await device.ask("call", namespace="/feed", name="feed:subscribe", payload={})
        streamed = OnStream(server, reader)
        await streamed.come_back()
        try:
            yield [*map(OnSocket, devices), OnPolls(await poller(server, reader)), streamed]
        finally:
            await streamed.leave()


async def act(writer: Person, reader: Person, conversation: str, post_ids: Sequence[str]) -> None:
    edited, deleted, hidden = post_ids
    await say(writer, conversation, "two", "three")
    await reader.rest("PUT", f"/conversations/{conversation}/read", {"seq": 2})
    await writer.do("/posts", "post:create", {"text": "A new one"})
    await writer.do("/posts", "post:update", {"post_id": edited, "text": "Edited"})
    await writer.do("/posts", "post:delete", {"post_id": deleted})
    await writer.do("/posts", "post:update", {"post_id": hidden, "visibility": "private"})
    await say(writer, conversation, "four")


async def test_a_scenario_ends_in_the_same_store_on_every_transport(server: RunningServer, clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(server)
    await reader.rest("POST", f"/users/{writer.id}/follow")
    post_ids = [
        (await writer.do("/posts", "post:create", {"text": text}))["post"]["id"] for text in ("One", "Other", "Third")
    ]
    await say(writer, conversation, "one")
    async with every_transport(server, clients, reader) as listeners:
        stores = [await ReferenceClient.read(reader, post_ids[0]) for _ in listeners]
        await say(writer, conversation, "before the absence")
        for listener in listeners:
            await listener.leave()
        await act(writer, reader, conversation, post_ids)
        for listener in listeners:
            await listener.come_back()
        await say(writer, conversation, "after the absence")
        waiting = set(range(len(listeners)))
        async with asyncio.timeout(WITHIN_S):
            while waiting:
                fresh = await ReferenceClient.read(reader, post_ids[0])
                for place in tuple(waiting):
                    for name, data in await listeners[place].news():
                        assert name != "resync", (place, data)
                        if name not in KNOWN_OTHERWISE:
                            stores[place].apply(name, data)
                    if stores[place].state == fresh.state:
                        waiting.remove(place)
                await asyncio.sleep(0.02)

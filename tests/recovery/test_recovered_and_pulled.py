"""A client whose session is recovered and one that pulls have the same then: what a fresh read shows."""

from __future__ import annotations

import asyncio

from tests.contract.reference_client import ReferenceClient
from tests.contract.sync_store import SyncStore
from tests.journeys.javascript import JavaScript
from tests.kit.recovering import RecoveringDevice, recovering_device
from tests.kit.server import Person, RunningServer
from tests.recovery.talk import say, two_who_talk

WITHIN_S = 10.0
NAMESPACES = ("/chat", "/feed", "/users")
KNOWN_OTHERWISE = frozenset({"collection:changed", "conversation:position"})
"""Pushes of Collections that the reference client does not keep, and repetitions."""


class Follower:
    """Applies what a device hears to what its person had read before."""

    def __init__(self, device: RecoveringDevice, client: ReferenceClient) -> None:
        self._device = device
        self._client = client
        self._applied = dict.fromkeys(NAMESPACES, 0)

    def apply_news(self) -> None:
        for namespace in NAMESPACES:
            heard = self._device.heard[namespace]
            for name, data, *_ in heard[self._applied[namespace] :]:
                if name not in KNOWN_OTHERWISE:
                    self._client.apply(name, data)
            self._applied[namespace] = len(heard)

    async def until_it_has_what_is(self, person: Person, post_id: str) -> None:
        """Each time compared with a new read: what consumers of Facts do may come after the first one."""
        give_up_s = asyncio.get_running_loop().time() + WITHIN_S
        while True:
            fresh = await ReferenceClient.read(person, post_id)
            self.apply_news()
            if self._client.state == fresh.state:
                return
            assert asyncio.get_running_loop().time() < give_up_s, (self._client.state, fresh.state)
            await asyncio.sleep(0.02)


async def write(writer: Person, conversation: str, edited: str, deleted: str) -> None:
    await say(writer, conversation, "two", "three")
    await writer.do("/posts", "post:create", {"text": "A new one"})
    await writer.do("/posts", "post:update", {"post_id": edited, "text": "Edited"})
    await writer.do("/posts", "post:delete", {"post_id": deleted})


async def test_both_end_in_the_same_state(server: RunningServer, clients: JavaScript) -> None:
    writer, reader, conversation = await two_who_talk(server)
    await reader.do("/users", "user:follow", {"user_id": writer.id})
    edited, deleted = [
        (await writer.do("/posts", "post:create", {"text": text}))["post"]["id"] for text in ("One", "Other")
    ]
    await say(writer, conversation, "one")
    async with recovering_device(clients, server.url, namespaces=NAMESPACES, token=reader.access_token) as device:
        await device.ask("call", namespace="/feed", name="feed:subscribe", payload={})
        follower = Follower(device, await ReferenceClient.read(reader, edited))
        store = SyncStore(reader)
        await store.pull()
        await device.ask("drop")
        await write(writer, conversation, edited, deleted)
        await device.joins(2 * len(NAMESPACES))
        assert all(joined.recovered for joined in device.joined[len(NAMESPACES) :])
        await follower.until_it_has_what_is(reader, edited)
        await store.pull()
        assert await store.differences() == []

"""Workers on other nodes hear at once that there are Facts, and that lanes are free."""

from __future__ import annotations

import asyncio

import pytest

from realtime.pubsub.memory_backplane import MemoryBackplane, MemoryBroker
from server.features import FEATURES
from server.worker import consumer_loop
from server.worker.wake_up import CHANNEL, WakeUp
from tests.kit.odd_feature import OddFeature
from tests.kit.server import running_server, settings_for_tests

WITHIN_S = 20


class _Node:
    def __init__(self, name: str, broker: MemoryBroker) -> None:
        self.backplane = MemoryBackplane(name, broker)
        self.wake_up = WakeUp(self.backplane)
        self.facts, self.lanes = asyncio.Event(), asyncio.Event()
        self.wake_up.on_new_facts(self.facts)
        self.wake_up.on_free_lanes(self.lanes)

    async def start(self) -> None:
        await self.backplane.start(
            on_message=lambda _channel, body: self.wake_up.on_message(body),
            on_missed=lambda _channel: self.wake_up.on_missed(),
        )
        await self.backplane.subscribe(CHANNEL)

    def heard(self) -> tuple[bool, bool]:
        return self.facts.is_set(), self.lanes.is_set()


async def test_each_message_wakes_those_whom_it_concerns() -> None:
    broker = MemoryBroker()
    one, other = _Node("one", broker), _Node("other", broker)
    await one.start()
    await other.start()
    one.wake_up.facts_committed()
    assert one.heard() == (True, False), "without a round trip"
    await one.wake_up.stop()
    assert other.heard() == (True, False)
    other.wake_up.lanes_given_up()
    await other.wake_up.stop()
    assert one.heard() == (True, True)
    assert other.heard() == (True, False), "its own lanes are nothing new to it"
    for node in (one, other):
        await node.backplane.stop()


async def test_a_fact_of_another_node_is_dealt_with_before_the_next_look(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_loop, "POLL_S", 600.0)
    monkeypatch.setattr(consumer_loop, "HELD_SHORT_S", 600.0)
    odd = OddFeature()
    settings = settings_for_tests(database_url, redis_url)
    features = (*FEATURES, odd.feature())
    async with (
        running_server(settings, features=features),
        running_server(settings, work=False, features=features) as other,
    ):
        me = await other.person("elsewhere")
        for count in (1, 2):
            await me.rest("POST", "/odd/tell", {})
            async with asyncio.timeout(WITHIN_S):
                while len(odd.reactions) < count:
                    await asyncio.sleep(0.02)


async def test_a_fact_that_the_statement_of_its_change_stored_is_dealt_with_at_once(
    database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_loop, "POLL_S", 600.0)
    async with running_server(settings_for_tests(database_url, redis_url)) as server:
        author, fan = await server.people("author", "fan")
        device = await fan.device(namespaces=["/feed"])
        await device.do("/feed", "feed:subscribe", {})
        await fan.do("/users", "user:follow", {"user_id": author.id})
        made = await author.do("/posts", "post:create", {"text": "Hello"})
        pushed = await device.expect_push("feed:new", timeout_s=WITHIN_S)
        assert pushed["post"]["id"] == made["post"]["id"]

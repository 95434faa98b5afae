"""Rooms and topics of sessions end up right, however calls, the end of a session and the network overlap."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from redis.asyncio import Redis

from realtime.pubsub.room_names import EVERY_NODE_CHANNEL, EVERY_TOPIC_CHANNEL, node_channel, room_channel
from tests.kit.log_watch import watched_log
from tests.kit.services import Valkey
from tests.realtime.nodes import TOPIC, LabNode, RecordingMember, running_nodes

ROOMS = ("room:1", "room:2", "room:3")
PEOPLE = (1, 2)


@pytest.fixture
async def node(redis_url: str) -> AsyncIterator[LabNode]:
    async with running_nodes(redis_url, "a") as (node,):
        yield node


async def subscribed(redis: Redis) -> set[str]:
    """The channels with a subscriber at Valkey, without those that a node always subscribes."""
    channels = await redis.pubsub_channels()
    names = {name.decode() if isinstance(name, bytes) else name for name in channels}
    return names - {node_channel("a"), EVERY_NODE_CHANNEL, EVERY_TOPIC_CHANNEL}


async def until_subscribed(redis: Redis, rooms: set[str]) -> None:
    async with asyncio.timeout(5):
        while await subscribed(redis) != {room_channel(room) for room in rooms}:
            await asyncio.sleep(0.005)


async def registered_subscribers(node: LabNode) -> set[int]:
    return (await node.topic_registry.all_subscribers_by_node(TOPIC)).get(node.backplane.node_id, set())


async def test_only_a_session_that_was_added_joins(node: LabNode, redis: Redis) -> None:
    stranger = RecordingMember()
    await node.membership.join(stranger, "room:1")
    await node.membership.subscribe(stranger, TOPIC, 1)
    assert stranger.rooms == set() and stranger not in node.membership
    assert await subscribed(redis) == set() and await registered_subscribers(node) == set()


async def test_the_channel_stays_subscribed_while_the_room_has_a_member(node: LabNode, redis: Redis) -> None:
    one, other = await node.session("room:1"), await node.session("room:1", namespace="/two")
    await node.membership.leave(one, "room:1")
    await node.membership.leave(one, "room:1")
    await node.jobs_are_done()
    await until_subscribed(redis, {"room:1"})
    node.membership.remove_session(other)
    await until_subscribed(redis, set())


async def test_a_user_stays_a_subscriber_while_any_session_subscribes_as_them(node: LabNode) -> None:
    one, other = await node.session(subscribes_as=[1, 2]), await node.session(subscribes_as=[1])
    await node.membership.subscribe(one, TOPIC, 1)
    node.membership.remove_session(one)
    await node.jobs_are_done()
    assert await registered_subscribers(node) == {1}
    assert list(node.membership.subscribers()) == list(node.membership.subscribers(TOPIC)) == [(other, TOPIC)]
    await node.membership.unsubscribe(other, TOPIC, 1)
    await node.membership.unsubscribe(other, TOPIC, 1)
    assert await registered_subscribers(node) == set()
    assert list(node.membership.subscribers()) == []


async def test_a_session_removed_while_it_joins_is_in_no_room(node: LabNode, redis: Redis) -> None:
    member = RecordingMember()
    node.membership.add_session(member)
    entering = asyncio.create_task(node.membership.join(member, "room:1"))
    listening = asyncio.create_task(node.membership.subscribe(member, TOPIC, 1))
    await asyncio.sleep(0)
    node.membership.remove_session(member)
    node.membership.remove_session(member)
    await asyncio.gather(entering, listening)
    await node.jobs_are_done()
    await until_subscribed(redis, set())
    assert member.rooms == set() and await registered_subscribers(node) == set()


async def test_a_session_that_leaves_while_it_joins_is_in_no_room(node: LabNode, redis: Redis) -> None:
    member = await node.session()
    entering = asyncio.create_task(node.membership.join(member, "room:1", "room:2"))
    await asyncio.sleep(0)
    await node.membership.leave(member, "room:1")
    await entering
    await until_subscribed(redis, {"room:2"})
    assert member.rooms == {"room:2"}


async def test_a_cancelled_join_does_not_unsubscribe_the_room_of_others(node: LabNode, redis: Redis) -> None:
    stays, gives_up = RecordingMember(), RecordingMember()
    node.membership.add_session(stays)
    node.membership.add_session(gives_up)
    entering = [asyncio.create_task(node.membership.join(member, "room:1")) for member in (stays, gives_up)]
    await asyncio.sleep(0)
    entering[1].cancel()
    await asyncio.gather(*entering, return_exceptions=True)
    node.membership.remove_session(gives_up)
    await node.jobs_are_done()
    await until_subscribed(redis, {"room:1"})
    await node.say("hello", "room:1")
    await stays.until_text("hello")
    node.membership.remove_session(stays)
    await until_subscribed(redis, set())


async def test_an_outage_is_two_log_lines_however_many_subscribe(node: LabNode, valkey: Valkey) -> None:
    events = ("topic_registry_unavailable", "topic_registry_unavailable_over")
    member = await node.session(subscribes_as=[1])
    with watched_log(*events) as seen:
        await asyncio.to_thread(valkey.stop)
        for user_id in (2, 3, 4):
            assert not await node.membership.subscribe(member, TOPIC, user_id)
        await node.membership.unsubscribe(member, TOPIC, 4)
        assert [line["event"] for line in seen] == [events[0]]
        await asyncio.to_thread(valkey.start)
        async with asyncio.timeout(10):
            while not await node.membership.subscribe(member, TOPIC, 5):
                await node.membership.unsubscribe(member, TOPIC, 5)
                await asyncio.sleep(0.02)
    assert [line["event"] for line in seen] == [*events]


async def test_a_job_that_fails_does_not_stop_the_next(node: LabNode) -> None:
    async def fail() -> None:
        raise ValueError("a defect")

    node.membership.run_later(fail)
    await node.jobs_are_done()


class Crowd:
    """Sessions that make random calls, without waiting for the ones before."""

    def __init__(self, node: LabNode, seed: int) -> None:
        self._node = node
        self._chance = random.Random(seed)
        self.members: list[RecordingMember] = []
        self._running: list[asyncio.Task[Any]] = []

    async def act(self) -> None:
        chance, membership = self._chance, self._node.membership
        if not self.members or chance.random() < 0.1:
            member = RecordingMember(chance.choice(("/one", "/two")))
            membership.add_session(member)
            self.members.append(member)
        member, room, user_id = chance.choice(self.members), chance.choice(ROOMS), chance.choice(PEOPLE)
        match chance.randrange(8):
            case 0 | 1:
                self._start(membership.join(member, *chance.sample(ROOMS, chance.randint(1, len(ROOMS)))))
            case 2:
                self._start(membership.leave(member, room))
            case 3 | 4:
                self._start(membership.subscribe(member, TOPIC, user_id))
            case 5:
                self._start(membership.unsubscribe(member, TOPIC, user_id))
            case 6 if self._running:
                chance.choice(self._running).cancel()
            case 7:
                self.members.remove(member)
                membership.remove_session(member)
        for _ in range(chance.choice((0, 0, 1, 5))):
            await asyncio.sleep(0)
        if chance.random() < 0.05:
            await asyncio.sleep(0.002)

    def _start(self, call: Coroutine[Any, Any, object]) -> None:
        self._running.append(asyncio.create_task(call))

    async def rests(self) -> None:
        """Waits until all calls have ended."""
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        await self._node.jobs_are_done()


@pytest.mark.parametrize("seed", range(6))
async def test_redis_ends_up_with_what_is_true_on_the_node(node: LabNode, redis: Redis, seed: int) -> None:
    crowd = Crowd(node, seed)
    for _ in range(6):
        for _ in range(40):
            await crowd.act()
        await crowd.rests()
        await until_subscribed(redis, {room for member in crowd.members for room in member.rooms if room in ROOMS})
        subscribed_as = {
            user_id for user_id in PEOPLE if any(f"{TOPIC}:{user_id}" in member.rooms for member in crowd.members)
        }
        assert await registered_subscribers(node) == subscribed_as
    for member in crowd.members:
        node.membership.remove_session(member)
        assert member.rooms == set()
    await node.jobs_are_done()
    await until_subscribed(redis, set())
    assert await registered_subscribers(node) == set()
    assert not any(node.hub.has_members(room) for room in ROOMS)

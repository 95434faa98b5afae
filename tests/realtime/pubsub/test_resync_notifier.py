"""A session that may have missed something gets one resync, with the scope to read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.pubsub.resync_notifier import SESSIONS_PER_BATCH
from realtime.pubsub.room_names import person_room
from tests.kit.services import Valkey
from tests.realtime.nodes import LabNode, RecordingMember, running_nodes


@pytest.fixture
async def node(redis_url: str) -> AsyncIterator[LabNode]:
    async with running_nodes(redis_url, "a") as (node,):
        yield node


@pytest.mark.parametrize(
    ("rooms", "scope"),
    [
        (["conversation:1"], "conversation:1"),
        ([person_room(1)], "all"),
        (["conversation:1", "conversation:2"], "all"),
        ([person_room(1), "conversation:1", "conversation:2", "conversation:3"], "all"),
    ],
)
async def test_a_session_from_an_outage_gets_one_resync_afterwards(
    node: LabNode, valkey: Valkey, rooms: list[str], scope: str
) -> None:
    await asyncio.to_thread(valkey.stop)
    member = await node.session(*rooms)
    assert member.heard == []
    await asyncio.to_thread(valkey.start)
    await member.until_resync()
    for room in rooms:
        await node.say(f"to {room}", room)
        await member.until_text(f"to {room}")
    assert member.scopes == [scope]


@pytest.mark.parametrize("subscribed_before", [True, False])
async def test_subscribers_get_a_resync_of_their_topic(node: LabNode, valkey: Valkey, subscribed_before: bool) -> None:
    member = await node.session(subscribes_as=[1] if subscribed_before else [])
    await asyncio.to_thread(valkey.stop)
    await node.membership.subscribe(member, "news", 1)
    await asyncio.to_thread(valkey.start)
    await member.until_resync()
    assert set(member.scopes) == {"news"}


async def test_after_an_outage_each_session_resyncs_its_own_rooms(node: LabNode, valkey: Valkey) -> None:
    one, other = await node.session("conversation:1"), await node.session("conversation:2")
    elsewhere = await node.session("conversation:1", namespace="/two")
    nowhere = await node.session()
    await asyncio.to_thread(valkey.restart)
    for member in (one, other, elsewhere):
        await member.until_resync()
    assert [member.scopes for member in (one, other, elsewhere)] == [
        ["conversation:1"],
        ["conversation:2"],
        ["conversation:1"],
    ]
    assert nowhere.heard == []


async def test_losses_of_one_moment_are_one_resync(node: LabNode) -> None:
    member = await node.session("conversation:1")
    for _ in range(3):
        node.resync_notifier.resync_room("conversation:1")
    await member.until_resync()
    node.resync_notifier.resync(member, "conversation:1")
    await member.until(lambda: len(member.scopes) == 2)
    assert member.scopes == ["conversation:1", "conversation:1"]


async def test_many_sessions_are_told_in_batches(node: LabNode) -> None:
    crowd = [await node.session("conversation:1") for _ in range(2 * SESSIONS_PER_BATCH + 1)]
    node.resync_notifier.resync_room("conversation:1")
    while not any(member.scopes for member in crowd):
        await asyncio.sleep(0)
    assert sum(bool(member.scopes) for member in crowd) == SESSIONS_PER_BATCH
    for member in crowd:
        await member.until_resync()
    node.resync_notifier.resync(crowd[0], "conversation:1")
    await crowd[0].until(lambda: len(crowd[0].scopes) == 2)
    assert [len(member.scopes) for member in crowd] == [2] + [1] * 2 * SESSIONS_PER_BATCH


async def test_a_topic_resync_reaches_its_subscribers_only(node: LabNode) -> None:
    subscriber, other = await node.session(subscribes_as=[1]), await node.session("conversation:1")
    node.resync_notifier.resync_topic("weather")
    node.resync_notifier.resync_topic("news")
    await subscriber.until_resync()
    assert (subscriber.scopes, other.heard) == (["news"], [])


async def test_a_removed_session_gets_no_resync(node: LabNode) -> None:
    gone, stays = await node.session("conversation:1"), await node.session("conversation:1")
    node.resync_notifier.resync_room("conversation:1")
    node.membership.remove_session(gone)
    await stays.until_resync()
    assert gone.heard == []


async def test_a_stopped_node_sends_no_resync(redis_url: str) -> None:
    async with running_nodes(redis_url, "a") as (node,):
        member: RecordingMember = await node.session("conversation:1")
        node.resync_notifier.resync_room("conversation:1")
    await asyncio.sleep(0.1)
    assert member.heard == []

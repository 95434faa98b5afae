"""Whoever may have missed something is told so once, and told what to read again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.pubsub.resync_notifier import SESSIONS_PER_BATCH
from realtime.pubsub.rooms import person_room
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
async def test_who_came_while_redis_was_away_is_told_once_when_it_is_back(
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


@pytest.mark.parametrize("listened_before", [True, False])
async def test_listeners_are_told_of_their_topic(node: LabNode, valkey: Valkey, listened_before: bool) -> None:
    member = await node.session(subscribes_as=[1] if listened_before else [])
    await asyncio.to_thread(valkey.stop)
    await node.membership.subscribe(member, "news", 1)
    await asyncio.to_thread(valkey.start)
    await member.until_resync()
    assert set(member.scopes) == {"news"}


async def test_all_sessions_are_told_of_an_outage_each_of_its_own_rooms(node: LabNode, valkey: Valkey) -> None:
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


async def test_what_was_missed_twice_is_told_once(node: LabNode) -> None:
    member = await node.session("conversation:1")
    for _ in range(3):
        node.resync_notifier.resync_room("conversation:1")
    await member.until_resync()
    node.resync_notifier.resync(member, "conversation:1")
    await member.until(lambda: len(member.scopes) == 2)
    assert member.scopes == ["conversation:1", "conversation:1"]


async def test_a_crowd_is_told_bit_by_bit(node: LabNode) -> None:
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


async def test_a_topic_that_was_missed_concerns_its_listeners_only(node: LabNode) -> None:
    hears, deaf = await node.session(subscribes_as=[1]), await node.session("conversation:1")
    node.resync_notifier.resync_topic("weather")
    node.resync_notifier.resync_topic("news")
    await hears.until_resync()
    assert (hears.scopes, deaf.heard) == (["news"], [])


async def test_who_is_gone_is_told_nothing(node: LabNode) -> None:
    gone, stays = await node.session("conversation:1"), await node.session("conversation:1")
    node.resync_notifier.resync_room("conversation:1")
    node.membership.remove_session(gone)
    await stays.until_resync()
    assert gone.heard == []


async def test_a_stopped_node_tells_nothing_more(redis_url: str) -> None:
    async with running_nodes(redis_url, "a") as (node,):
        member: RecordingMember = await node.session("conversation:1")
        node.resync_notifier.resync_room("conversation:1")
    await asyncio.sleep(0.1)
    assert member.heard == []

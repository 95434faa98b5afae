"""A push finds those who should hear it on every node, and nobody else, whatever Redis does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from realtime.contract.emissions import JoinRoom, RevokeLoginSessions
from realtime.pubsub.envelope import MAX_IDS_PER_ENVELOPE
from realtime.pubsub.rooms import person_room
from realtime.redis.client import StoreUnavailable, open_redis
from tests.kit.services import Valkey
from tests.realtime.nodes import HANDLED_CHANNEL, TOPIC, LabNode, RecordingMember, running_nodes, said
from tests.realtime.silent_line import silent_line

Pair = list[LabNode]


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[Pair]:
    async with running_nodes(redis_url, "a", "b") as nodes:
        yield nodes


async def heals(node: LabNode, *others: RecordingMember) -> None:
    """Until everybody has been told to resync."""
    for member in others:
        await member.until_resync()
    async with asyncio.timeout(5):
        while not await node.backplane.publish([("nobody", b"1")]):
            await asyncio.sleep(0.01)


async def until_known(node: LabNode, user_id: int, *node_ids: str) -> None:
    """Until senders know again that the person listens there; what is said before is made up for by a resync."""
    async with asyncio.timeout(5):
        known: set[str] = set()
        while known != set(node_ids):
            await asyncio.sleep(0.01)
            with contextlib.suppress(StoreUnavailable):  # this connection may come back after the others
                known = set(await node.topic_registry.subscribers_by_node(TOPIC, [user_id]))


async def test_all_members_on_all_nodes_hear_one_order(pair: Pair) -> None:
    members = [await node.session("room:1") for node in pair for _ in range(3)]
    outsider = await pair[0].session("room:2")

    async def publisher(node: LabNode, name: str) -> None:
        for number in range(50):
            await node.say(f"{name}{number}", "room:1")

    await asyncio.gather(*(publisher(node, f"{node.backplane.node_id}{turn}-") for node in pair for turn in range(2)))
    for member in members:
        await member.until_count(200)
    assert all(member.heard == members[0].heard for member in members)
    assert len(set(members[0].texts)) == len(members[0].texts) == 200
    for name in ("a0-", "a1-", "b0-", "b1-"):
        own = [text for text in members[0].texts if text.startswith(name)]
        assert own == [f"{name}{number}" for number in range(50)]
    assert outsider.heard == []
    assert [node.delivered for node in pair] == [600, 600]


async def test_a_room_is_of_one_namespace(pair: Pair) -> None:
    same_name = await pair[1].session("room:1", namespace="/two")
    member = await pair[1].session("room:1")
    await pair[0].say("hello", "room:1")
    await member.until_text("hello")
    assert same_name.heard == []


@pytest.mark.parametrize("seed", range(5))
async def test_a_push_to_listeners_reaches_exactly_those_who_listen(pair: Pair, seed: int) -> None:
    chance = random.Random(seed)
    everybody = range(1, 60)
    members: list[tuple[RecordingMember, set[int]]] = []
    for node in pair:
        for _ in range(40):
            hears = set(chance.sample(everybody, chance.randint(0, 2)))
            members.append((await node.session(subscribes_as=sorted(hears)), hears))
    pushes = [chance.sample(everybody, chance.randint(1, len(everybody))) for _ in range(10)]
    for number, addressed in enumerate(pushes):
        await pair[number % 2].say(str(number), addressed)
    # what one node is sent comes in order: after this, nothing of the above is still under way
    for node in pair:
        last = await node.session(subscribes_as=[999])
        for publisher in pair:
            await publisher.say(f"last of {publisher.backplane.node_id}", [999])
            await last.until_text(f"last of {publisher.backplane.node_id}")
    for member, hears in members:
        # each push once, however many of the people that it hears as are addressed
        assert sorted(member.texts) == [str(number) for number, people in enumerate(pushes) if hears & set(people)]


async def test_more_listeners_than_one_message_takes(pair: Pair) -> None:
    people = range(1, MAX_IDS_PER_ENVELOPE + 2)
    first = await pair[1].session(subscribes_as=[people[0]])
    last = await pair[1].session(subscribes_as=[people[-1]])
    everybody = await pair[1].session(subscribes_as=list(people))
    await pair[0].say("hello", people)
    for member in (first, last, everybody):
        await member.until_text("hello")
    assert first.texts == last.texts == ["hello"]


async def test_who_listens_no_more_hears_nothing(pair: Pair) -> None:
    stays, goes, released = [await pair[1].session(subscribes_as=[1]) for _ in range(3)]
    await pair[1].membership.unsubscribe(goes, "news", 1)
    pair[1].membership.remove_session(released)
    await pair[0].say("hello", [1])
    await stays.until_text("hello")
    assert goes.heard == released.heard == []


async def test_an_order_to_enter_is_carried_out_on_every_node_and_told_as_resync(pair: Pair) -> None:
    invited = [await node.session(person_room(1)) for node in pair]
    inside = await pair[1].session(person_room(1), "room:new")
    elsewhere = await pair[1].session(person_room(1), namespace="/two")
    stranger = await pair[1].session(person_room(2))
    await pair[0].fanout.publish([], [JoinRoom("/one", "room:new", [1])])
    for member in invited:
        await member.until_resync()
        assert member.scopes == ["room:new"]
    await pair[0].say("welcome", "room:new")
    for member in (*invited, inside):
        await member.until_text("welcome")
    assert inside.scopes == []
    assert elsewhere.heard == stranger.heard == []


async def test_who_leaves_before_the_order_arrives_enters_nothing(pair: Pair) -> None:
    gone, stays = await pair[1].session(person_room(1)), await pair[1].session(person_room(1))
    pair[1].membership.remove_session(gone)
    await pair[0].fanout.publish([], [JoinRoom("/one", "room:new", [1])])
    await stays.until_resync()
    assert (gone.rooms, gone.heard) == (set(), [])


async def test_ended_logins_are_told_to_every_node(pair: Pair) -> None:
    ended = list(range(1, 2 * MAX_IDS_PER_ENVELOPE + 2))
    await pair[0].fanout.publish([], [RevokeLoginSessions(ended)])
    async with asyncio.timeout(10):
        while not all(len(node.revoked) == len(ended) for node in pair):
            await asyncio.sleep(0.005)
    assert [node.revoked for node in pair] == [ended, ended]


async def test_nothing_to_say_asks_nobody(pair: Pair, valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.stop)
    async with asyncio.timeout(0.1):
        await pair[0].fanout.publish([])


async def test_without_redis_own_sessions_are_served_at_once_and_all_resync_afterwards(
    pair: Pair, valkey: Valkey
) -> None:
    a, b = pair
    near, far = await a.session("room:1"), await b.session("room:1")
    near_listener, far_listener = await a.session(subscribes_as=[1]), await b.session(subscribes_as=[1])
    await asyncio.to_thread(valkey.stop)
    await a.fanout.publish([said("lost", "room:1"), said("lost too", [1, 2])], [RevokeLoginSessions([7])])
    assert (near.texts, near_listener.texts, a.revoked) == (["lost"], ["lost too"], [7])
    assert far.heard == far_listener.heard == []
    assert b.revoked == []
    await asyncio.to_thread(valkey.start)
    await heals(a, near, far, near_listener, far_listener)
    await until_known(a, 1, "a", "b")
    assert set(near.scopes + far.scopes) == {"room:1"}
    assert set(near_listener.scopes + far_listener.scopes) == {"news"}
    for publisher, text in itertools.product(pair, ("to room", "to listener")):
        text = f"{text} of {publisher.backplane.node_id}"
        await publisher.say(text, [1] if "listener" in text else "room:1")
        for member in (near_listener, far_listener) if "listener" in text else (near, far):
            await member.until_text(text)


async def test_listeners_of_other_nodes_are_not_forgotten_where_nobody_can_say_who_listens(
    valkey: Valkey, tmp_path: Path
) -> None:
    """Only the line that this node asks over is dead: no other node notices anything."""
    async with silent_line(valkey.url, tmp_path / "line.sock") as line, running_nodes(valkey.url, "b") as (b,):
        redis = open_redis(valkey.url, client_name="a")
        registry = open_redis(line.url, client_name="a")
        a = LabNode(redis, "a", registry=registry)
        await a.fanout.start()
        try:
            near, far, other = (
                await a.session(subscribes_as=[1]),
                await b.session(subscribes_as=[1]),
                await b.session(subscribes_as=[2]),
            )
            line.fall_silent()
            await a.say("hello", [1])
            for member in (near, far):
                await member.until_text("hello")
            assert far.scopes == []
            assert other.heard == []
        finally:
            await a.fanout.stop()
            await registry.aclose()
            await redis.aclose()


async def test_who_listens_on_two_nodes_hears_once_what_could_not_be_published(valkey: Valkey, tmp_path: Path) -> None:
    """Who listens where is known, but only the line that this node publishes over is dead."""
    async with silent_line(valkey.url, tmp_path / "line.sock") as line, running_nodes(valkey.url, "b") as (b,):
        redis = open_redis(line.url, client_name="a")
        registry = open_redis(valkey.url, client_name="a")
        a = LabNode(redis, "a", registry=registry)
        await a.fanout.start()
        try:
            near, far = await a.session(subscribes_as=[1]), await b.session(subscribes_as=[1])
            line.fall_silent()
            await a.say("hello", [1])
            assert near.texts == ["hello"]
            assert far.texts == []
        finally:
            await a.fanout.stop()
            await registry.aclose()
            await redis.aclose()


async def test_who_may_have_missed_an_order_is_told_of(pair: Pair, valkey: Valkey) -> None:
    member = await pair[0].session(person_room(7), "room:1")
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)
    await heals(pair[0], member)
    assert (pair[0].joins_missed, pair[1].joins_missed) == ([7], [])


async def test_a_channel_with_a_hearer_of_its_own_is_handed_over_with_its_gaps(pair: Pair, valkey: Valkey) -> None:
    a, b = pair
    assert await b.backplane.subscribe(HANDLED_CHANNEL)
    await a.backplane.publish([(HANDLED_CHANNEL, b"no envelope")])
    async with asyncio.timeout(5):
        while not b.handled:
            await asyncio.sleep(0.01)
    await asyncio.to_thread(valkey.restart)
    async with asyncio.timeout(5):
        while len(b.handled) < 2:
            await asyncio.sleep(0.01)
    assert b.handled == [b"no envelope", None] and a.handled == []

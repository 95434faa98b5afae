"""A push reaches its recipients on every node, and no other session, whatever Redis does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from realtime.contract.declarations import Push, Subject
from realtime.contract.emissions import JoinRoom, Restore, RevokeLoginSessions, ToRoom, Withdraw, emission
from realtime.contract.wire import Model
from realtime.pubsub.envelope import MAX_IDS_PER_ENVELOPE
from realtime.pubsub.room_names import person_room
from realtime.redis.client import StoreUnavailable, open_redis
from tests.kit.services import Valkey
from tests.realtime.nodes import EDITED, HANDLED_CHANNEL, TOPIC, LabNode, RecordingMember, running_nodes, said
from tests.realtime.silent_line import silent_line

Pair = list[LabNode]


class Written(Model):
    text: str
    version: int


WRITTEN = Push(
    name="said",
    namespace="/one",
    model=Written,
    audience="Whoever is there.",
    subjects_of=lambda written: (Subject("thing:1", written.version), Subject("author:1")),
)
WRITTEN_AGAIN = Push(
    name=EDITED,
    namespace="/one",
    model=Written,
    audience="Whoever is there.",
    subjects_of=WRITTEN.subjects_of,
    of_every_version=True,
)


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[Pair]:
    async with running_nodes(redis_url, "a", "b") as nodes:
        yield nodes


async def heals(node: LabNode, *others: RecordingMember) -> None:
    """Waits until every session got a resync and the node can publish again."""
    for member in others:
        await member.until_resync()
    async with asyncio.timeout(5):
        while not await node.backplane.publish([("nobody", b"1")]):
            await asyncio.sleep(0.01)


async def until_known(node: LabNode, user_id: int, *node_ids: str) -> None:
    """Waits until publishers know again on which nodes the user subscribes; pushes before that end in a resync."""
    async with asyncio.timeout(5):
        known: set[str] = set()
        while known != set(node_ids):
            await asyncio.sleep(0.01)
            with contextlib.suppress(StoreUnavailable):  # this connection may come back after the others
                known = set(await node.topic_registry.subscribers_by_node(TOPIC, [user_id]))


async def test_all_members_on_all_nodes_receive_one_order(pair: Pair) -> None:
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
async def test_a_push_to_a_topic_reaches_exactly_its_subscribers_among_the_users(pair: Pair, seed: int) -> None:
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
    # messages to one node keep their order: after these, all of the above have arrived
    for node in pair:
        last = await node.session(subscribes_as=[999])
        for publisher in pair:
            await publisher.say(f"last of {publisher.backplane.node_id}", [999])
            await last.until_text(f"last of {publisher.backplane.node_id}")
    for member, hears in members:
        # each push once, however many of the users whom the session subscribes as are addressed
        assert sorted(member.texts) == [str(number) for number, people in enumerate(pushes) if hears & set(people)]


async def test_more_subscribers_than_one_message_takes(pair: Pair) -> None:
    people = range(1, MAX_IDS_PER_ENVELOPE + 2)
    first = await pair[1].session(subscribes_as=[people[0]])
    last = await pair[1].session(subscribes_as=[people[-1]])
    everybody = await pair[1].session(subscribes_as=list(people))
    await pair[0].say("hello", people)
    for member in (first, last, everybody):
        await member.until_text("hello")
    assert first.texts == last.texts == ["hello"]


async def test_a_session_that_unsubscribed_receives_nothing(pair: Pair) -> None:
    stays, goes, released = [await pair[1].session(subscribes_as=[1]) for _ in range(3)]
    await pair[1].membership.unsubscribe(goes, "news", 1)
    pair[1].membership.remove_session(released)
    await pair[0].say("hello", [1])
    await stays.until_text("hello")
    assert goes.heard == released.heard == []


async def test_sessions_on_every_node_join_a_room_and_resync_it(pair: Pair) -> None:
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


async def test_sessions_that_join_a_new_room_have_nothing_to_resync(pair: Pair) -> None:
    invited = [await node.session(person_room(1)) for node in pair]
    await pair[0].fanout.publish([], [JoinRoom("/one", "room:new", [1], is_new=True)])
    async with asyncio.timeout(10):
        while not all("room:new" in member.rooms for member in invited):
            await asyncio.sleep(0.005)
    await pair[0].say("welcome", "room:new")
    for member in invited:
        await member.until_text("welcome")
        assert member.scopes == []


async def test_a_session_that_ends_before_the_message_arrives_joins_nothing(pair: Pair) -> None:
    gone, stays = await pair[1].session(person_room(1)), await pair[1].session(person_room(1))
    pair[1].membership.remove_session(gone)
    await pair[0].fanout.publish([], [JoinRoom("/one", "room:new", [1])])
    await stays.until_resync()
    assert (gone.rooms, gone.heard) == (set(), [])


async def test_revoked_login_sessions_are_passed_on_at_every_node(pair: Pair) -> None:
    ended = list(range(1, 2 * MAX_IDS_PER_ENVELOPE + 2))
    await pair[0].fanout.publish([], [RevokeLoginSessions(ended)])
    async with asyncio.timeout(10):
        while not all(len(node.revoked) == len(ended) for node in pair):
            await asyncio.sleep(0.005)
    assert [node.revoked for node in pair] == [ended, ended]


async def test_an_empty_publish_does_not_touch_redis(pair: Pair, valkey: Valkey) -> None:
    await asyncio.to_thread(valkey.stop)
    async with asyncio.timeout(0.1):
        await pair[0].fanout.publish([])


async def test_without_redis_own_sessions_are_served_at_once_and_all_resync_afterwards(
    pair: Pair, valkey: Valkey
) -> None:
    a, b = pair
    near, far = await a.session("room:1"), await b.session("room:1")
    near_subscriber, far_subscriber = await a.session(subscribes_as=[1]), await b.session(subscribes_as=[1])
    await asyncio.to_thread(valkey.stop)
    await a.fanout.publish([said("lost", "room:1"), said("lost too", [1, 2])], [RevokeLoginSessions([7])])
    assert (near.texts, near_subscriber.texts, a.revoked) == (["lost"], ["lost too"], [7])
    assert far.heard == far_subscriber.heard == []
    assert b.revoked == []
    await asyncio.to_thread(valkey.start)
    await heals(a, near, far, near_subscriber, far_subscriber)
    await until_known(a, 1, "a", "b")
    assert set(near.scopes + far.scopes) == {"room:1"}
    assert set(near_subscriber.scopes + far_subscriber.scopes) == {"news"}
    for publisher, text in itertools.product(pair, ("to room", "to subscriber")):
        text = f"{text} of {publisher.backplane.node_id}"
        await publisher.say(text, [1] if "subscriber" in text else "room:1")
        for member in (near_subscriber, far_subscriber) if "subscriber" in text else (near, far):
            await member.until_text(text)


async def test_subscribers_on_other_nodes_are_reached_while_the_registry_cannot_be_read(
    valkey: Valkey, tmp_path: Path
) -> None:
    """Only this node's connection to the registry is dead: no other node notices anything."""
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


async def test_a_push_that_cannot_be_published_reaches_own_subscribers_once(valkey: Valkey, tmp_path: Path) -> None:
    """The registry can be read; only the connection that this node publishes over is dead."""
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


async def test_users_whose_sessions_may_have_missed_a_join_are_reported(pair: Pair, valkey: Valkey) -> None:
    member = await pair[0].session(person_room(7), "room:1")
    await asyncio.to_thread(valkey.stop)
    await asyncio.to_thread(valkey.start)
    await heals(pair[0], member)
    assert (pair[0].joins_missed, pair[1].joins_missed) == ([7], [])


async def test_a_channel_with_a_handler_passes_on_its_messages_and_losses(pair: Pair, valkey: Valkey) -> None:
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


async def test_a_push_on_its_way_does_not_tell_what_was_withdrawn_meanwhile(pair: Pair) -> None:
    members = [await pair[1].session("room:1", "room:2") for _ in range(2)]
    members[0].user_id, members[1].user_id = 7, 8

    async def write(version: int) -> None:
        data = Written(text=f"version {version}", version=version)
        await pair[0].fanout.publish([emission(WRITTEN, data, ToRoom("room:1"))])

    await pair[0].fanout.publish((), [Withdraw("thing:1", below_version=2)])
    await pair[0].fanout.publish([emission(WRITTEN_AGAIN, Written(text="old", version=1), ToRoom("room:2"))])
    await write(1)
    await write(2)
    for member in members:
        await member.until_text("version 2")
        await member.until_resync()
        assert (member.texts, member.scopes) == (["version 2"], ["room:1"])
    await pair[0].fanout.publish((), [Withdraw("author:1", user_ids=[7])])
    await write(3)
    await pair[0].fanout.publish((), [Restore("author:1", [7])])
    await write(4)
    await pair[0].fanout.publish((), [Withdraw("thing:1")])
    await write(5)
    await pair[0].say("the end", "room:1")
    for member in members:
        await member.until_text("the end")
    assert members[0].texts == ["version 2", "version 4", "the end"]
    assert members[1].texts == ["version 2", "version 3", "version 4", "the end"]
    # Not of room:2: each edit has a push of its own there.
    assert [member.scopes for member in members] == [["room:1"]] * 2
    assert not any(event == EDITED for member in members for event, _ in member.heard)


async def test_a_node_that_may_have_missed_a_withdrawal_tells_nothing_that_may_be_withdrawn(pair: Pair) -> None:
    before = pair[1].logs.withdrawals.generation
    await pair[0].redis.client_kill_filter(_type="pubsub")
    async with asyncio.timeout(10):
        while pair[1].logs.withdrawals.generation == before:
            await asyncio.sleep(0.01)

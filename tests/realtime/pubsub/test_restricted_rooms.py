"""Sessions leave a room on every node when its subject is withdrawn from their user, and when it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from realtime.contract.emissions import CloseRoom, CloseRoomsAbout, Restore, Withdraw
from realtime.pubsub.room_names import person_room, room_about
from tests.realtime.nodes import LabNode, RecordingMember, running_nodes

Pair = list[LabNode]
ROOM = room_about("thing:1", "author:1", "followed:1")
OTHER_ROOM = room_about("thing:2", "author:2")


@pytest.fixture
async def pair(redis_url: str) -> AsyncIterator[Pair]:
    async with running_nodes(redis_url, "a", "b") as nodes:
        yield nodes


async def members_of(node: LabNode) -> list[RecordingMember]:
    """Sessions of the users 7 and 8, each in both rooms and in one that everybody may be in."""
    members = []
    for user_id in (7, 8):
        member = await node.session(person_room(user_id), ROOM, OTHER_ROOM, "lobby:1")
        member.user_id = user_id
        members.append(member)
    return members


async def test_whom_a_subject_is_withdrawn_from_leaves_its_rooms_on_every_node(pair: Pair) -> None:
    (out, stays), (far_out, far_stays) = [await members_of(node) for node in pair]
    await pair[0].fanout.publish((), [Withdraw("followed:1", user_ids=[7])])
    assert ROOM not in out.rooms
    await pair[0].say("hello", ROOM)
    for member in (stays, far_stays):
        await member.until_text("hello")
    for member in (out, far_out):
        await member.until_resync()
        assert (member.texts, member.scopes) == ([], ["thing:1"])
        assert member.rooms == {person_room(7), OTHER_ROOM, "lobby:1"}


async def test_a_closed_room_has_no_members(pair: Pair) -> None:
    members = [member for node in pair for member in await members_of(node)]
    await pair[0].fanout.publish((), [CloseRoom(ROOM)])
    for member in members:
        await member.until_resync()
        assert ROOM not in member.rooms and member.scopes == ["thing:1"]
    await pair[1].jobs_are_done()
    assert await pair[1].backplane.barrier()
    assert not pair[1].hub.has_members(ROOM)


async def test_all_rooms_about_a_subject_are_closed_on_every_node(pair: Pair) -> None:
    members = [member for node in pair for member in await members_of(node)]
    await pair[0].fanout.publish((), [CloseRoomsAbout("author:1")])
    for member in members:
        await member.until_resync()
        assert (member.scopes, ROOM in member.rooms, OTHER_ROOM in member.rooms) == (["thing:1"], False, True)


async def test_what_was_withdrawn_from_everybody_can_be_restored(pair: Pair) -> None:
    everybody, nobody = Withdraw("author:1"), Restore("author:1", None)
    await pair[0].fanout.publish((), [everybody, Withdraw("author:1", user_ids=[7]), nobody])
    assert await pair[1].backplane.barrier()
    out, stays = await members_of(pair[1])
    for member in (out, stays):
        pair[1].fanout.restricted_rooms.leave_withdrawn(member)
    assert ROOM not in out.rooms and ROOM in stays.rooms


async def test_a_session_from_another_node_is_not_in_rooms_withdrawn_before(pair: Pair) -> None:
    await pair[0].fanout.publish((), [Withdraw("author:1", user_ids=[7, 8]), Restore("author:1", [8])])
    assert await pair[1].backplane.barrier()
    out, stays = await members_of(pair[1])
    for member in (out, stays):
        pair[1].fanout.restricted_rooms.leave_withdrawn(member)
    assert ROOM not in out.rooms and ROOM in stays.rooms and OTHER_ROOM in out.rooms


async def test_a_node_that_may_have_missed_a_withdrawal_lets_nobody_stay(pair: Pair) -> None:
    members = await members_of(pair[1])
    await pair[0].redis.client_kill_filter(_type="pubsub")
    async with asyncio.timeout(10):
        while any(ROOM in member.rooms or OTHER_ROOM in member.rooms for member in members):
            await asyncio.sleep(0.01)
    assert all("lobby:1" in member.rooms for member in members)

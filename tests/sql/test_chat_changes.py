"""What changed in conversations since a position, whatever the order of transactions, and what it takes to read it."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from sql.chat import MessageChangesRow
from sql.ids import ConversationId, UserId
from tests.sql.world import World, changing_message


async def position_of(world: World, viewer_id: UserId) -> int:
    peek = await world.units.reads.sync.peek(viewer_id=viewer_id, after=0)
    assert peek is not None
    return peek.position


async def position_above(world: World) -> int:
    """One that all earlier changes lie below, whatever transactions other tests have open."""
    position: int = await world.value("SELECT change_stamp()")
    return position


async def changes_since(world: World, viewer_id: UserId, since: int, **more: int) -> list[MessageChangesRow]:
    asked = {"from_id": 0, "page_size": 10, "change_limit": 100, "count_limit": 10, **more}
    return await world.units.reads.chat.list_message_changes(viewer_id=viewer_id, since=since, **asked)


async def stored(world: World, conversation_id: ConversationId) -> dict[int, tuple[int, str]]:
    """Rev and text of each message that is committed, by seq."""
    rows = await world.rows("SELECT seq, rev, text FROM messages WHERE conversation_id = $1", conversation_id)
    return {row["seq"]: (row["rev"], row["text"]) for row in rows}


async def test_a_change_with_a_lower_stamp_and_a_higher_rev_is_found(world: World) -> None:
    """The first transaction has its number before it waits for the lock of the conversation."""
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    await world.say(conversation_id, ann)
    async with world.units.write() as early:
        since = await early.connection.fetchval("SELECT change_stamp()")  # no position lies above it meanwhile
        await world.say(conversation_id, bob, "second")
        assert await position_of(world, ann) <= since
        (row,) = await changes_since(world, ann, since)
        assert row.after_rev == 1, "what was committed with a number above an open one comes twice"
        await early.connection.fetchval(changing_message("text = 'edited'"), conversation_id, 1)
    stamps = await world.rows("SELECT rev FROM messages WHERE conversation_id = $1 ORDER BY changed", conversation_id)
    assert [row["rev"] for row in stamps] == [3, 2]
    (row,) = await changes_since(world, ann, since)
    assert row.after_rev is not None and row.after_rev <= 1
    rows = await world.units.reads.chat.read_changes(
        viewer_id=ann,
        conversation_ids=[conversation_id],
        after_revs=[row.after_rev],
        page_size=10,
        byte_limit=9999,
        beside_limit=0,
    )
    assert [(row.message.seq, row.message.text) for row in rows if row.message] == [(2, "second"), (1, "edited")]
    assert await changes_since(world, ann, await position_above(world)) == []


async def test_whoever_reads_from_a_position_misses_no_change_of_open_transactions(world: World) -> None:
    chance = random.Random(7)
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    for _ in range(4):
        await world.say(conversation_id, ann)
    read: list[tuple[int, dict[int, tuple[int, str]]]] = []

    async def change(number: int) -> None:
        """Sometimes numbered long before it changes anything, sometimes in vain."""
        try:
            async with world.units.write() as db:
                if chance.random() < 0.5:
                    await db.connection.execute("SELECT change_stamp()")
                    await asyncio.sleep(chance.random() / 50)
                seq = chance.randrange(1, 5)
                if chance.random() < 0.3:
                    await db.connection.execute("SAVEPOINT beneath")
                await db.connection.fetchval(changing_message(f"text = '{number}'"), conversation_id, seq)
                if chance.random() < 0.2:
                    raise ZeroDivisionError
                await asyncio.sleep(chance.random() / 200)
        except ZeroDivisionError:
            pass

    async def work(first: int) -> None:
        for number in range(first, first + 10):
            since = await position_of(world, ann)
            read.append((since, await stored(world, conversation_id)))
            await change(number)

    await asyncio.gather(*(work(first) for first in range(0, 60, 10)))
    now = await stored(world, conversation_id)
    assert sorted(rev for rev, _ in now.values())[-1] == await world.value(
        "SELECT rev FROM conversations WHERE id = $1", conversation_id
    )
    held_differently = 0
    for since, held in read:
        after_rev = next((row.after_rev for row in await changes_since(world, ann, since)), None)
        told = {seq for seq, (rev, _) in now.items() if after_rev is not None and rev > after_rev}
        missed = {seq for seq in now if now[seq] != held[seq]}
        held_differently += bool(missed)
        assert missed <= told, (since, after_rev)
    assert held_differently > len(read) // 2


async def test_conversations_are_found_by_what_all_see_and_by_what_only_the_viewer_sees(world: World) -> None:
    ann, *others = await world.people("ann", "b", "c", "d", "e")
    said, read, delivered, quiet = [await world.conversation(ann, other) for other in others]
    for conversation_id, other in zip((said, read, delivered, quiet), others, strict=True):
        await world.say(conversation_id, other)
    since = await position_above(world)
    await world.say(said, others[0])
    for conversation_id, read_seq in ((read, 1), (delivered, 0)):
        await world.units.single_writes.chat.move_position(
            conversation_id=conversation_id, user_id=ann, read_seq=read_seq, delivered_seq=1
        )

    async def found(**more: int) -> list[tuple[int, int]]:
        asked: dict[str, Any] = {"from_id": 0, "page_size": 10, "count_limit": 10, **more}
        rows = await world.units.reads.chat.list_changed_conversations(viewer_id=ann, since=since, **asked)
        return [(row.conversation.id, row.changed_count) for row in rows[::2]]

    first, second = sorted((said, read))
    assert await found() == [(first, 2), (second, 2)]
    assert await found(page_size=1) == [(first, 2)]
    assert await found(count_limit=1) == [(first, 1)]
    assert await found(from_id=first + 1) == [(second, 1)]
    assert [(row.conversation_id, row.after_rev) for row in await changes_since(world, ann, since)] == [(said, 1)]
    assert await changes_since(world, others[3], since) == []


async def test_more_changes_than_a_limit_have_no_rev_to_begin_at(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    for _ in range(3):
        await world.say(conversation_id, ann)
    for change_limit, after_rev in ((2, None), (3, 0)):
        (row,) = await changes_since(world, bob, 1, change_limit=change_limit)
        assert row.after_rev == after_rev
    since = await position_above(world)
    for _ in range(3):
        await world.say(conversation_id, ann)
    for change_limit, after_rev in ((2, None), (3, 3)):
        (row,) = await changes_since(world, bob, since, change_limit=change_limit)
        assert row.after_rev == after_rev


async def test_the_newest_messages_of_each_conversation_come_before_older_ones_of_any(world: World) -> None:
    ann, *others = await world.people("ann", "b", "c", "d")
    talks = [await world.conversation(ann, other) for other in others]
    for talk, other, count in zip(talks, others, (3, 1, 2), strict=True):
        for _ in range(count):
            await world.say(talk, other)

    async def newest(byte_limit: int, **more: int) -> list[tuple[ConversationId, int]]:
        asked = {"conversation_limit": 2, "page_size": 2, **more}
        rows = await world.units.reads.chat.list_newest_messages(viewer_id=ann, byte_limit=byte_limit, **asked)
        return [(row.conversation_id, row.seq) for row in rows]

    three, one, two = talks
    assert await newest(9_999) == [(two, 2), (one, 1), (two, 1)]
    everything = [(two, 2), (one, 1), (three, 3), (two, 1), (three, 2), (three, 1)]
    assert await newest(9_999, conversation_limit=3, page_size=3) == everything
    assert await newest(4 * 502, conversation_limit=3, page_size=3) == everything[:4]

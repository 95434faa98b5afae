from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from sql.chat import ConversationMemberRow, OpenedRow, PositionRow, SentRow
from sql.database import Database
from sql.ids import MAX_ID, ActivityId, ConversationId, UserId
from tests.sql.world import World

NOTHING = ConversationId(1)


async def open_direct(viewer_id: UserId, other_id: UserId, db: Database) -> OpenedRow:
    return await db.chat.open_direct(viewer_id=viewer_id, other_id=other_id)


async def send(
    conversation_id: ConversationId,
    sender_id: UserId,
    text: str,
    client_id: str | None,
    db: Database,
) -> SentRow | None:
    return await db.chat.send_message(
        conversation_id=conversation_id,
        sender_id=sender_id,
        text=text,
        reply_to_seq=None,
        client_id=client_id,
    )


async def move_read(conversation_id: ConversationId, user_id: UserId, seq: int, db: Database) -> PositionRow | None:
    return await db.chat.move_position(
        conversation_id=conversation_id, user_id=user_id, read_seq=seq, delivered_seq=seq
    )


async def mark_read(world: World, conversation_id: ConversationId, user_id: UserId, seq: int) -> PositionRow | None:
    return await world.write(partial(move_read, conversation_id, user_id, seq))


async def texts(world: World, conversation_id: ConversationId, viewer_id: UserId) -> list[tuple[int, str]]:
    rows = await world.read(
        lambda db: db.chat.list_messages_after(
            viewer_id=viewer_id, conversation_id=conversation_id, after_seq=0, page_size=1000
        )
    )
    return [(row.seq, row.text) for row in rows]


async def seen_by(world: World, viewer_id: UserId, conversation_id: ConversationId) -> list[ConversationMemberRow]:
    return await world.read(lambda db: db.chat.read_conversation(viewer_id=viewer_id, conversation_id=conversation_id))


async def positions(
    world: World, conversation_id: ConversationId, viewer_id: UserId
) -> list[tuple[UserId, int | None, int | None]]:
    """(user, delivered, read) of each member."""
    rows = await seen_by(world, viewer_id, conversation_id)
    return [(row.member.user.id, row.member.delivered_seq, row.member.read_seq) for row in rows]


async def test_a_direct_conversation_is_made_once_however_many_open_it(world: World) -> None:
    ann, bob = await world.people("ann", "bob")

    async def found(viewer_id: UserId, other_id: UserId) -> ConversationId | None:
        return await world.read(lambda db: db.chat.find_direct(viewer_id=viewer_id, other_id=other_id))

    assert await found(ann, bob) is None
    opened = await world.at_once([lambda db: db.chat.open_direct(viewer_id=ann, other_id=bob)] * 12)
    (conversation_id,) = {row.id for row in opened}
    assert Counter(row.joined for row in opened) == {True: 1, False: 11}
    assert (await found(ann, bob), await found(bob, ann)) == (conversation_id, None)
    assert await positions(world, conversation_id, ann) == [(ann, 0, 0), (bob, 0, 0)]
    memberships = await world.read(lambda db: db.chat.list_memberships(user_ids=[ann, bob]))
    assert sorted(map(tuple, memberships)) == sorted([(ann, conversation_id), (bob, conversation_id)])
    again = await world.at_once(
        [partial(open_direct, viewer_id, other_id) for viewer_id, other_id in ((bob, ann), (ann, bob)) * 4]
    )
    assert {row.id for row in again} == {conversation_id}
    assert Counter(row.joined for row in again) == {True: 1, False: 7}
    assert await found(bob, ann) == conversation_id


async def test_messages_are_numbered_without_holes_in_one_order_for_all(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    sent = await world.at_once(
        [partial(send, conversation_id, (ann, bob)[step % 2], str(step), None) for step in range(60)]
    )
    in_order = sorted((row.message for row in sent if row and row.message), key=lambda message: message.seq)
    assert [message.id for message in in_order] == sorted({message.id for message in in_order})
    assert [message.created_at for message in in_order] == sorted(message.created_at for message in in_order)
    by_answer = [(message.seq, message.text) for message in in_order]
    assert [seq for seq, _ in by_answer] == list(range(1, 61))
    assert await texts(world, conversation_id, ann) == by_answer
    assert await texts(world, conversation_id, bob) == by_answer


async def test_a_message_that_was_rolled_back_leaves_no_hole(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)

    async def fail(db: Database) -> None:
        await send(conversation_id, ann, "never", None, db)
        raise ZeroDivisionError

    assert await world.say(conversation_id, ann) == 1
    with pytest.raises(ZeroDivisionError):
        await world.write(fail)
    assert await world.say(conversation_id, ann) == 2


async def test_a_repeated_client_id_sends_once_and_takes_no_number(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    conversation_id, other_id = await world.conversation(ann, bob), await world.conversation(ann, cat)
    answers = await world.at_once([partial(send, conversation_id, ann, "x", "once")] * 10)
    assert Counter(row.outcome for row in answers if row) == {"sent": 1, "sent_before": 9}
    (sent,) = {row.message for row in answers if row}
    assert sent is not None
    assert (sent.seq, sent.text, sent.client_id, sent.sender.id) == (1, "x", "once", ann)
    other_text = await world.write(partial(send, conversation_id, ann, "y", "once"))
    assert other_text is not None and other_text.outcome == "conflict"
    for another in (partial(send, other_id, ann, "x", "once"), partial(send, conversation_id, bob, "x", "once")):
        row = await world.write(another)
        assert row is not None and row.outcome == "sent"
    assert await world.say(conversation_id, ann) == 3
    assert await world.say(other_id, ann) == 2


async def test_only_members_send_and_read(world: World) -> None:
    ann, bob, eve = await world.people("ann", "bob", "eve")
    conversation_id = await world.conversation(ann, bob)
    await world.say(conversation_id, ann)
    assert await world.write(partial(send, conversation_id, eve, "x", None)) is None
    assert await world.write(partial(send, NOTHING, ann, "x", None)) is None
    assert await seen_by(world, eve, conversation_id) == []
    assert await texts(world, conversation_id, eve) == []
    assert await mark_read(world, conversation_id, eve, 1) is None
    async with world.units.write() as db:
        backwards = await db.chat.list_messages_before(
            viewer_id=eve, conversation_id=conversation_id, before_seq=10, page_size=5
        )
        assert backwards == []
        changes = await db.chat.read_changes(
            viewer_id=eve,
            conversation_ids=[conversation_id],
            after_revs=[0],
            page_size=5,
            byte_limit=9999,
            beside_limit=5,
        )
        assert changes == []


async def test_across_a_block_only_an_earlier_try_is_answered(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    await world.write(partial(send, conversation_id, ann, "x", "once"))
    await world.block(bob, ann)
    for sender_id in (ann, bob):
        refused = await world.write(partial(send, conversation_id, sender_id, "x", None))
        assert refused == SentRow("forbidden", 1, 1, bob if sender_id == ann else ann, True, True, [], None)
    again = await world.write(partial(send, conversation_id, ann, "x", "once"))
    assert again is not None and (again.outcome, again.is_blocked) == ("sent_before", True)


async def test_the_first_message_joins_who_had_not(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = (await world.write(partial(open_direct, ann, bob))).id
    rows = [await world.write(partial(send, conversation_id, ann, "x", None)) for _ in range(2)]
    assert [row.joined_ids for row in rows if row] == [[bob], []]
    assert await world.read(lambda db: db.chat.find_direct(viewer_id=bob, other_id=ann)) == conversation_id


async def test_read_positions_move_forwards_only_and_not_past_the_last_message(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    for _ in range(5):
        await world.say(conversation_id, ann)
    assert await mark_read(world, conversation_id, bob, 3) == PositionRow(True, 3, 3, 5, None)
    assert await mark_read(world, conversation_id, bob, 2) == PositionRow(False, 3, 3, 5, None)
    assert await mark_read(world, conversation_id, bob, 3) == PositionRow(False, 3, 3, 5, None)
    for beyond in (6, 2**62):
        assert await mark_read(world, conversation_id, bob, beyond) == PositionRow(False, 3, 3, 5, None)
    assert await mark_read(world, conversation_id, bob, 5) == PositionRow(True, 5, 5, 5, None)
    assert await mark_read(world, conversation_id, ann, 5) == PositionRow(False, 5, 5, 5, None)


async def test_unread_is_exact_while_both_send_and_read_at_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)

    for round_ in range(4):
        read = partial(move_read, conversation_id, bob, round_ * 10 + 4)
        acts: list[Callable[[Database], Awaitable[object]]] = [
            *[partial(send, conversation_id, ann, "x", None)] * 10,
            *[read] * 3,
        ]
        await world.at_once(acts)
        rows = await seen_by(world, bob, conversation_id)
        counted = await world.value(
            """
            SELECT count(*)
            FROM messages m
            JOIN conversation_members mine ON mine.conversation_id = m.conversation_id AND mine.user_id = $1
            WHERE m.conversation_id = $2 AND m.seq > mine.read_seq
            """,
            bob,
            conversation_id,
        )
        assert {row.unread_count for row in rows} == {counted}
        assert {row.last_seq for row in rows} == {(round_ + 1) * 10}
    assert (await seen_by(world, ann, conversation_id))[0].unread_count == 0


async def test_sending_means_having_read_and_received_everything_before(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    await world.say(conversation_id, ann)
    await world.say(conversation_id, bob)
    assert await positions(world, conversation_id, ann) == [(ann, 1, 1), (bob, 2, 2)]


async def test_delivered_moves_without_read_and_forwards_only(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    for _ in range(3):
        await world.say(conversation_id, ann)

    async def delivered(seq: int) -> PositionRow | None:
        return await world.write(
            lambda db: db.chat.move_position(
                conversation_id=conversation_id, user_id=bob, read_seq=0, delivered_seq=seq
            )
        )

    assert await delivered(2) == PositionRow(True, 0, 2, 3, None)
    assert await delivered(1) == PositionRow(False, 0, 2, 3, None)
    assert await delivered(4) == PositionRow(False, 0, 2, 3, None)
    assert await delivered(3) == PositionRow(True, 0, 3, 3, None)


async def test_conversations_are_listed_last_active_first_with_all_that_a_row_shows(world: World) -> None:
    ann, *others = await world.people("ann", "b", "c", "d")
    conversations = [await world.conversation(ann, other) for other in others]
    await world.say(conversations[0], others[0], "one")
    await world.say(conversations[0], others[0], "two")

    async def listed(before: ActivityId, page_size: int) -> list[ConversationMemberRow]:
        return await world.read(
            lambda db: db.chat.list_conversations(viewer_id=ann, before=before, page_size=page_size)
        )

    rows = await listed(ActivityId(MAX_ID), 2)
    assert [row.id for row in rows] == [conversations[0]] * 2 + [conversations[2]] * 2
    first = rows[0]
    assert (first.kind, first.title, first.last_seq, first.unread_count) == ("direct", None, 2, 2)
    assert (first.viewer_read_seq, first.viewer_muted) == (0, False)
    assert {row.member.user.id for row in rows[:2]} == {ann, others[0]}
    assert {row.member.user.id: row.member.read_seq for row in rows[:2]} == {ann: 0, others[0]: 2}
    assert first.last_message is not None
    assert (first.last_message.seq, first.last_message.text, first.last_message.sender.id) == (2, "two", others[0])
    assert rows[2].last_message is None
    rest = await listed(rows[-1].last_activity_id, 2)
    assert [row.id for row in rest] == [conversations[1]] * 2
    assert await seen_by(world, ann, conversations[0]) == rows[:2]


async def test_messages_are_paged_both_ways(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    for _ in range(5):
        await world.say(conversation_id, ann)
    async with world.units.write() as db:
        back = await db.chat.list_messages_before(
            viewer_id=bob, conversation_id=conversation_id, before_seq=4, page_size=2
        )
        forth = await db.chat.list_messages_after(
            viewer_id=bob, conversation_id=conversation_id, after_seq=2, page_size=2
        )
    assert [message.seq for message in back] == [3, 2]
    assert [message.seq for message in forth] == [3, 4]


async def test_changes_are_read_in_each_conversation_in_their_order(world: World) -> None:
    ann, bob, cat, dan, eve = await world.people("ann", "bob", "cat", "dan", "eve")
    busy, quiet, beside, latest = [await world.conversation(ann, other) for other in (bob, cat, dan, eve)]
    for step in range(5):
        await world.say(busy, bob, str(step))
    for conversation_id, other in ((quiet, cat), (beside, dan), (latest, eve)):
        await world.say(conversation_id, other)
    assert await world.change_message(busy, 1, "edited_at = now(), text = 'other'") == 6
    assert await world.change_message(busy, 3, "deleted_at = now()") == 7

    async def changes(byte_limit: int, beside_limit: int = 5) -> list[tuple[ConversationId, int, int, int | None]]:
        rows = await world.read(
            lambda db: db.chat.read_changes(
                viewer_id=ann,
                conversation_ids=[busy, quiet, NOTHING],
                after_revs=[2, 1, 0],
                page_size=3,
                byte_limit=byte_limit,
                beside_limit=beside_limit,
            )
        )
        return [
            (row.conversation_id, row.last_rev, row.change_count, row.message.seq if row.message else None)
            for row in rows
        ]

    unnamed = [(latest, 1, 0, None), (beside, 1, 0, None)]
    nothing_new = (quiet, 1, 0, None)
    assert await changes(100_000) == [(busy, 7, 4, 4), (busy, 7, 4, 5), (busy, 7, 4, 1), nothing_new, *unnamed]
    assert await changes(1_100) == [(busy, 7, 4, 4), (busy, 7, 4, 5), nothing_new, *unnamed]
    assert await changes(0) == [(busy, 7, 4, None), nothing_new, *unnamed]
    assert await changes(0, beside_limit=1) == [(busy, 7, 4, None), nothing_new, unnamed[0]]
    assert await changes(0, beside_limit=0) == [(busy, 7, 4, None), nothing_new]

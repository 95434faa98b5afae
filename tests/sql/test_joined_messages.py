"""Joined messages against the same ones sent one by one, and what becomes of each when something fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
import pytest_asyncio

from sql.chat import SentRow
from sql.database import load_queries
from sql.errors import BadText, Unavailable
from sql.ids import ConversationId, UserId
from sql.pool import Pool, close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.sql.world import World

NOTHING = ConversationId(1)


class Draft(NamedTuple):
    conversation_id: ConversationId
    sender_id: UserId
    text: str = "hi"
    reply_to_seq: int | None = None
    client_id: str | None = None


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url, max_size=4, statement_timeout_ms=1_000)
    yield opened
    await close_pool(opened, timeout_s=5)


def send(node: Units, draft: Draft) -> asyncio.Future[SentRow | None]:
    return asyncio.ensure_future(node.single_writes.chat.send_message(**draft._asdict()))


async def answers(calls: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """Results and exceptions, each in its caller's place."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def send_all(node: Units, drafts: Sequence[Draft]) -> list[Any]:
    return await answers([send(node, draft) for draft in drafts])


def told(rows: Sequence[SentRow]) -> list[tuple[str, int | None]]:
    return [(row.outcome, row.message and row.message.seq) for row in rows]


@asynccontextmanager
async def locked(world: World, table: str, conversation_id: ConversationId) -> AsyncIterator[None]:
    """Another transaction holds these rows of a conversation."""
    column = {"conversations": "id", "conversation_members": "conversation_id"}[table]
    async with world.units.write() as db:
        await db.connection.execute(f"SELECT FROM {table} WHERE {column} = $1 FOR NO KEY UPDATE", conversation_id)
        yield


async def check_numbers(world: World) -> None:
    """Every conversation: no hole in seqs and revs, rising ids and times, the counters of its row and its members."""
    assert (
        await world.rows(
            """
        SELECT c.id, c.last_seq, m.seqs
        FROM conversations c
        CROSS JOIN LATERAL (
            SELECT
                coalesce(array_agg(m.seq ORDER BY m.seq), '{}') AS seqs,
                coalesce(array_agg(m.seq ORDER BY m.id), '{}') AS by_id,
                coalesce(array_agg(m.seq ORDER BY m.rev), '{}') AS by_rev,
                coalesce(array_agg(m.rev ORDER BY m.rev), '{}') AS revs,
                coalesce(max(m.changed), c.changed) AS changed,
                coalesce(array_agg(m.seq ORDER BY m.created_at, m.seq), '{}') AS by_time
            FROM messages m WHERE m.conversation_id = c.id
        ) m
        WHERE NOT (
            m.seqs = ARRAY(SELECT generate_series(1, c.last_seq)) AND m.by_id = m.seqs AND m.by_time = m.seqs
            AND m.revs = ARRAY(SELECT generate_series(1, c.rev)) AND m.by_rev = m.seqs AND m.changed = c.changed
            AND NOT EXISTS (
                SELECT FROM conversation_members person
                WHERE person.conversation_id = c.id AND person.read_seq <> coalesce(
                    (SELECT max(s.seq) FROM messages s WHERE s.conversation_id = c.id AND s.sender_id = person.user_id),
                    0
                )
            )
        )
        """
        )
        == []
    )


async def test_messages_of_one_moment_are_numbered_in_the_order_of_their_calls(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    one, other = await world.conversation(ann, bob), await world.conversation(ann, cat)
    drafts = [
        Draft(one, ann, "a", client_id="1"),
        Draft(other, ann, "b", client_id="1"),
        Draft(one, bob, "c", client_id="1"),
        Draft(one, ann, "a", client_id="1"),
        Draft(one, ann, "d"),
        Draft(one, ann, "e", client_id="1"),
        Draft(one, ann, "d"),
        Draft(one, ann, "f", reply_to_seq=9, client_id="2"),
        Draft(one, ann, "f", client_id="2"),
    ]
    rows = await send_all(world.units, drafts)
    assert told(rows) == [
        ("sent", 1),
        ("sent", 1),
        ("sent", 2),
        ("sent_before", 1),
        ("sent", 3),
        ("conflict", 1),
        ("sent", 4),
        ("no_such_reply", None),
        ("sent", 5),
    ]
    assert rows[3].message == rows[0].message
    assert {row.last_seq for row in (*rows[:1], *rows[2:])} == {5}
    times = await world.rows("SELECT DISTINCT xmin::text FROM messages WHERE conversation_id IN ($1, $2)", one, other)
    assert len(times) == 1, "they were not one statement"
    await check_numbers(world)


async def test_a_bad_message_fails_alone(world: World) -> None:
    ann, bob, eve = await world.people("ann", "bob", "eve")
    conversation_id = await world.conversation(ann, bob)
    drafts = [Draft(conversation_id, ann, str(number)) for number in range(20)]
    drafts[7] = drafts[7]._replace(text="nul \0")
    drafts[11] = drafts[11]._replace(sender_id=eve)
    drafts[13] = drafts[13]._replace(conversation_id=NOTHING)
    results = await send_all(world.units, drafts)
    assert isinstance(results.pop(7), BadText)
    assert (results.pop(10), results.pop(11)) == (None, None)
    assert [row.message.seq for row in results] == list(range(1, 18))
    assert [row.message.text for row in results] == [str(n) for n in range(20) if n not in (7, 11, 13)]
    await check_numbers(world)


@pytest.mark.parametrize("table", ["conversations", "conversation_members"])
async def test_a_locked_conversation_holds_up_its_own_messages_only_and_keeps_their_order(
    world: World, table: str
) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    held, free = await world.conversation(ann, bob), await world.conversation(ann, cat)
    async with locked(world, table, held):
        waiting: list[asyncio.Future[Any]] = []
        for number in range(15):
            waiting.append(send(world.units, Draft(held, (ann, bob)[number % 2], str(number))))
            if number % 2:
                await asyncio.sleep(0)  # a statement is under way when the next ones are sent
            if number % 4 == 3:
                rows = await send_all(world.units, [Draft(free, ann), Draft(free, cat)])
                assert {row.outcome for row in rows} == {"sent"}
        assert not any(call.done() for call in waiting)
    rows = await answers(waiting)
    assert [(row.message.seq, row.message.text) for row in rows] == [(n + 1, str(n)) for n in range(15)]
    await check_numbers(world)


async def test_a_conversation_that_stays_locked_ends_in_unavailable_and_only_there(world: World, pool: Pool) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    held, free = await world.conversation(ann, bob), await world.conversation(ann, cat)
    hurried = Units(pool, load_queries(), acquire_timeout_s=5)  # its statements end after a second
    async with locked(world, "conversations", held):
        hung = [send(hurried, Draft(held, ann)) for _ in range(5)]
        assert told(await send_all(hurried, [Draft(free, ann)])) == [("sent", 1)]
        assert all(isinstance(result, Unavailable) for result in await answers(hung))
        assert told(await send_all(hurried, [Draft(free, cat)])) == [("sent", 2)]
    assert told(await send_all(hurried, [Draft(held, ann)])) == [("sent", 1)]
    await check_numbers(world)


async def test_two_first_messages_at_once_join_the_other_once(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    opened = await world.write(lambda db: db.chat.open_direct(viewer_id=ann, other_id=bob))
    rows = await send_all(world.units, [Draft(opened.id, ann), Draft(opened.id, bob)])
    assert [row.joined_ids for row in rows] == [[bob], []]
    assert await world.read(lambda db: db.chat.find_direct(viewer_id=bob, other_id=ann)) == opened.id


async def test_counters_change_without_touching_an_index(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await world.conversation(ann, bob)
    await world.say(conversation_id, ann)
    counts = """
        SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_xact_user_tables
        WHERE relname IN ('conversations', 'conversation_members')
    """
    async with world.units.write() as db:
        before = await db.connection.fetchrow(counts)
        for _ in range(10):
            await db.chat.send_message(**Draft(conversation_id, bob)._asdict())
        after = await db.connection.fetchrow(counts)
    assert before is not None and after is not None
    assert [more - some for more, some in zip(after, before, strict=True)] == [20, 20]


def random_drafts(chance: random.Random, talks: Sequence[tuple[ConversationId, UserId, UserId]]) -> list[Draft]:
    """Also by strangers, to no conversation, replies to nothing, and repeats with the same or another text."""
    drafts = []
    for _ in range(80):
        conversation_id, one, other = chance.choice(talks)
        sender_id = chance.choice([one, other, one, other, chance.choice(talks)[1]])
        drafts.append(
            Draft(
                chance.choice([conversation_id] * 15 + [NOTHING]),
                sender_id,
                chance.choice("ab"),
                chance.choice([None, None, None, 1, 1_000]),
                chance.choice([None, None, *"12345"]),
            )
        )
    return drafts


@pytest.mark.parametrize("seed", range(4))
async def test_joined_messages_are_answered_and_stored_as_the_same_ones_sent_one_by_one(
    world: World, seed: int
) -> None:
    chance = random.Random(seed)
    people = await world.people(*["person"] * 5)
    pairs = [(people[0], people[n]) for n in range(1, 5)]
    # The same conversations once more: a message of the first kind has a twin in the second.
    twins = await world.people(*["twin"] * 5)
    twin_of: dict[int, Any] = {NOTHING: NOTHING, **dict(zip(people, twins, strict=True))}
    talks = []
    for one, other in pairs:
        talks.append((await world.conversation(one, other), one, other))
        twin_of[talks[-1][0]] = await world.conversation(twin_of[one], twin_of[other])
        await world.say(talks[-1][0], one)
        await world.say(twin_of[talks[-1][0]], twin_of[one])
    await world.block(*pairs[3])
    await world.block(twin_of[pairs[3][0]], twin_of[pairs[3][1]])
    drafts = random_drafts(chance, talks)
    calls = []
    for draft in drafts:
        calls.append(send(world.units, draft))
        if chance.random() < 0.2:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
    joined = await answers(calls)
    assert len(set(map(told_of, joined))) > 5
    for draft, row in zip(drafts, joined, strict=True):
        alone = await send(
            world.units,
            draft._replace(conversation_id=twin_of[draft.conversation_id], sender_id=twin_of[draft.sender_id]),
        )
        assert told_of(row) == told_of(alone), draft
    await check_numbers(world)


def told_of(row: SentRow | None) -> Any:
    """An answer without what differs between twins."""
    if row is None:
        return None
    message = row.message
    return row.outcome, row.is_blocked, message and (message.seq, message.text, message.reply_to_seq, message.client_id)


@pytest.mark.parametrize("seed", range(3))
async def test_messages_on_two_nodes_with_faults_are_each_answered_and_stored_once(
    world: World, pool: Pool, seed: int
) -> None:
    chance = random.Random(seed)
    people = await world.people(*["person"] * 4)
    talks = [(await world.conversation(people[0], other), people[0], other) for other in people[1:]]
    nodes = (world.units, Units(pool, load_queries(), acquire_timeout_s=5))
    asked: list[tuple[Draft, asyncio.Future[Any]]] = []
    for number in range(150):
        conversation_id, *members = chance.choice(talks)
        draft = Draft(
            conversation_id, chance.choice(members), f"{number}", client_id=chance.choice([None, str(number)])
        )
        asked.append((draft, send(chance.choice(nodes), draft)))
        if draft.client_id is not None and chance.random() < 0.3:
            asked.append((draft, send(chance.choice(nodes), draft)))  # a retry, perhaps on another node
        if chance.random() < 0.05:
            asked[-1][1].cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        if chance.random() < 0.03:
            async with locked(world, chance.choice(["conversations", "conversation_members"]), conversation_id):
                await asyncio.sleep(0.01)
        if number == 75:
            await world.lose_connections("%send_messages(%")
    sent = {(row["sender_id"], row["text"]): row for row in await _all_messages(world, asked)}
    answered = 0
    for draft, call in asked:
        (result,) = await answers([call])
        if isinstance(result, asyncio.CancelledError | Unavailable):
            continue
        answered += 1
        assert result.outcome in ("sent", "sent_before") if draft.client_id else result.outcome == "sent"
        assert sent[draft.sender_id, draft.text]["seq"] == result.message.seq
    assert answered > len(asked) // 4
    await check_numbers(world)


async def _all_messages(world: World, asked: Sequence[tuple[Draft, asyncio.Future[Any]]]) -> list[Any]:
    """All that is stored once every caller was answered; no text is there twice."""
    await answers([call for _, call in asked])
    rows: list[Any] = await world.rows(
        "SELECT sender_id, text, seq FROM messages WHERE sender_id = ANY($1)",
        list({draft.sender_id for draft, _ in asked}),
    )
    assert len({(row["sender_id"], row["text"]) for row in rows}) == len(rows)
    return rows

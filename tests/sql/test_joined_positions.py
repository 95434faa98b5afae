"""Joined moves of positions against the same ones made one by one, and what becomes of each when something fails."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest_asyncio

from sql.chat import PositionRow
from sql.database import load_queries
from sql.errors import Unavailable
from sql.ids import ConversationId, UserId
from sql.pool import Pool, close_pool
from sql.unit import Units
from tests.kit.pool import opened_pool
from tests.sql.world import World

LAST_SEQ = 5


class Move(NamedTuple):
    conversation_id: ConversationId
    user_id: UserId
    read_seq: int
    delivered_seq: int


@pytest_asyncio.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    opened = await opened_pool(database_url, max_size=4, statement_timeout_ms=1_000)
    yield opened
    await close_pool(opened, timeout_s=5)


async def talk(world: World, one: UserId, other: UserId) -> ConversationId:
    """A conversation with LAST_SEQ messages of the first."""
    conversation_id = await world.conversation(one, other)
    for _ in range(LAST_SEQ):
        await world.say(conversation_id, one)
    return conversation_id


def move(node: Units, wanted: Move) -> asyncio.Future[PositionRow | None]:
    return asyncio.ensure_future(node.single_writes.chat.move_position(**wanted._asdict()))


async def answers(calls: Sequence[asyncio.Future[Any]]) -> list[Any]:
    """Results and exceptions, each in its caller's place."""
    return await asyncio.gather(*calls, return_exceptions=True)


@asynccontextmanager
async def locked(world: World, conversation_id: ConversationId) -> AsyncIterator[None]:
    """Another transaction holds the members of a conversation."""
    async with world.units.write() as db:
        await db.connection.execute(
            "SELECT FROM conversation_members WHERE conversation_id = $1 FOR NO KEY UPDATE", conversation_id
        )
        yield


async def test_moves_of_one_member_take_effect_in_their_order(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await talk(world, ann, bob)
    wanted = [(0, 2), (1, 1), (0, 2), (6, 6), (3, 3), (0, 5)]
    rows = await answers([move(world.units, Move(conversation_id, bob, *seqs)) for seqs in wanted])
    assert [(row.changed, row.read_seq, row.delivered_seq) for row in rows] == [
        (True, 0, 2),
        (True, 1, 2),
        (False, 1, 2),
        (False, 1, 2),
        (True, 3, 3),
        (True, 3, 5),
    ]


async def test_a_locked_member_holds_up_only_what_moves_it(world: World) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    held, free = await talk(world, ann, bob), await talk(world, ann, cat)
    async with locked(world, held):
        waiting = [move(world.units, Move(held, bob, seq, seq)) for seq in (2, 4)]
        nothing_to_do = [Move(held, ann, 3, 3), Move(held, ann, 9, 9), Move(held, cat, 1, 1)]
        for seq in (1, 2, 3):
            others = [*nothing_to_do, Move(free, cat, seq, seq)]
            rows = await answers([move(world.units, wanted) for wanted in others])
            assert rows == [
                PositionRow(False, 5, 5, 5, None),
                PositionRow(False, 5, 5, 5, None),
                None,
                PositionRow(True, seq, seq, 5, None),
            ]
        assert not any(call.done() for call in waiting)
    assert [row.read_seq for row in await answers(waiting)] == [2, 4]


async def test_a_member_that_stays_locked_ends_in_unavailable_and_only_there(world: World, pool: Pool) -> None:
    ann, bob, cat = await world.people("ann", "bob", "cat")
    held, free = await talk(world, ann, bob), await talk(world, ann, cat)
    hurried = Units(pool, load_queries(), acquire_timeout_s=5)  # its statements end after a second
    async with locked(world, held):
        hung = [move(hurried, Move(held, bob, seq, seq)) for seq in (1, 2, 3)]
        assert await move(hurried, Move(free, cat, 1, 1)) == PositionRow(True, 1, 1, 5, None)
        assert all(isinstance(result, Unavailable) for result in await answers(hung))
    assert await move(hurried, Move(held, bob, 1, 1)) == PositionRow(True, 1, 1, 5, None)


async def test_positions_move_without_touching_an_index(world: World) -> None:
    ann, bob = await world.people("ann", "bob")
    conversation_id = await talk(world, ann, bob)
    counts = """
        SELECT sum(n_tup_upd), sum(n_tup_hot_upd) FROM pg_stat_xact_user_tables
        WHERE relname = 'conversation_members'
    """
    async with world.units.write() as db:
        before = await db.connection.fetchrow(counts)
        for seq in range(1, LAST_SEQ + 1):
            await db.chat.move_position(**Move(conversation_id, bob, seq, seq)._asdict())
        after = await db.connection.fetchrow(counts)
    assert before is not None and after is not None
    assert [more - some for more, some in zip(after, before, strict=True)] == [LAST_SEQ, LAST_SEQ]


async def test_joined_moves_are_answered_and_stored_as_the_same_ones_made_one_by_one(world: World) -> None:
    chance = random.Random(1)
    people, twins = [await world.people(*[name] * 5) for name in ("person", "twin")]
    talks = [[await talk(world, group[0], group[n]) for n in range(1, 5)] for group in (people, twins)]
    for group in (people, twins):
        await world.block(group[4], group[0])
    twin_of: dict[int, Any] = dict(zip([*people, *talks[0]], [*twins, *talks[1]], strict=True))
    moves = []
    for _ in range(120):
        read_seq, delivered_seq = sorted(chance.choices(range(LAST_SEQ + 2), k=2))
        place = chance.randrange(4)
        moves.append(Move(talks[0][place], chance.choice([people[0], *people[place + 1 :]]), read_seq, delivered_seq))
    calls = []
    for wanted in moves:
        calls.append(move(world.units, wanted))
        if chance.random() < 0.2:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
    joined = await answers(calls)
    assert len({row and row.changed for row in joined}) == 3
    for wanted, row in zip(moves, joined, strict=True):
        twin = wanted._replace(conversation_id=twin_of[wanted.conversation_id], user_id=twin_of[wanted.user_id])
        alone = await move(world.units, twin)
        if row is not None and row.hearers is not None:
            row = row._replace(hearers=[twin_of[user_id] for user_id in row.hearers])
        assert row == alone, wanted


async def test_moves_on_two_nodes_with_faults_never_go_back(world: World, pool: Pool) -> None:
    chance = random.Random(2)
    ann, *others = await world.people("ann", *["other"] * 4)
    talks = [(await talk(world, ann, other), other) for other in others]
    nodes = (world.units, Units(pool, load_queries(), acquire_timeout_s=5))
    asked: list[tuple[Move, asyncio.Future[Any]]] = []
    for number in range(120):
        conversation_id, user_id = chance.choice(talks)
        read_seq, delivered_seq = sorted(chance.choices(range(LAST_SEQ + 1), k=2))
        wanted = Move(conversation_id, user_id, read_seq, delivered_seq)
        asked.append((wanted, move(chance.choice(nodes), wanted)))
        if chance.random() < 0.1:
            asked[-1][1].cancel()
        if chance.random() < 0.3:
            await asyncio.sleep(chance.choice([0, 0, 0.002]))
        if chance.random() < 0.05:
            async with locked(world, conversation_id):
                await asyncio.sleep(0.01)
        if number == 60:
            await world.lose_connections("%held_delivered_seq%")
    results = await answers([call for _, call in asked])
    stored = {
        row["user_id"]: row
        for row in await world.rows("SELECT * FROM conversation_members WHERE user_id = ANY($1)", others)
    }
    answered = 0
    for (wanted, _), row in zip(asked, results, strict=True):
        if isinstance(row, asyncio.CancelledError | Unavailable):
            continue
        answered += 1
        held = stored[wanted.user_id]
        assert wanted.read_seq <= row.read_seq <= held["read_seq"]
        assert wanted.delivered_seq <= row.delivered_seq <= held["delivered_seq"]
    assert answered > len(asked) // 4

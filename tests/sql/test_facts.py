import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import orjson
import pytest
import pytest_asyncio

from sql.database import Database
from sql.facts import OutboxRow, ParkedRow
from sql.ids import MAX_ID, FactId
from tests.sql.world import World

NEVER_S = 1_000_000.0
CONSUMERS = {"post.created": 2, "user.followed": 1, "nobody.listens": 0}


@pytest_asyncio.fixture(autouse=True)
async def empty_outbox(world: World) -> AsyncIterator[None]:
    await world.execute("DELETE FROM outbox")
    yield


async def store(world: World, *facts: str) -> list[FactId]:
    payloads = [orjson.dumps({"id": place}).decode() for place in range(len(facts))]
    return await world.write(lambda db: db.facts.insert_facts(facts=list(facts), payloads=payloads))


async def send(world: World, resend_after_s: float = NEVER_S, batch_size: int = 100) -> list[OutboxRow]:
    async with world.units.write() as db:
        return await db.facts.take_unsent(resend_after_s=resend_after_s, batch_size=batch_size)


async def confirm(world: World, fact_id: FactId, consumer: str) -> bool | None:
    return await world.write(lambda db: db.facts.confirm(fact_id=fact_id, consumer=consumer))


async def park(world: World, fact_id: FactId, consumer: str, error: str = "ValueError: no") -> bool | None:
    return await world.write(lambda db: db.facts.park(fact_id=fact_id, consumer=consumer, error=error))


async def sweep(world: World) -> int:
    return await world.write(
        lambda db: db.facts.sweep_confirmed(
            facts=list(CONSUMERS), consumer_counts=list(CONSUMERS.values()), batch_size=100
        )
    )


async def left(world: World) -> list[FactId]:
    ids: list[FactId] = await world.value("SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM outbox")
    return ids


async def test_facts_are_stored_in_order_and_sent_once(world: World) -> None:
    ids = await store(world, "post.created", "user.followed", "post.created")
    rows = await send(world)
    assert [(row.id, row.fact, orjson.loads(row.payload)) for row in rows] == [
        (ids[0], "post.created", {"id": 0}),
        (ids[1], "user.followed", {"id": 1}),
        (ids[2], "post.created", {"id": 2}),
    ]
    assert await send(world) == []


async def test_two_relays_take_different_facts_and_do_not_wait_for_each_other(world: World) -> None:
    ids = await store(world, *["post.created"] * 6)
    async with world.units.write() as one, world.units.write() as other:
        first = await one.facts.take_unsent(resend_after_s=NEVER_S, batch_size=4)
        second = await other.facts.take_unsent(resend_after_s=NEVER_S, batch_size=4)
    assert sorted(row.id for row in first + second) == sorted(ids)
    assert len(first) == 4


async def test_what_could_not_be_put_on_a_stream_is_taken_again(world: World) -> None:
    (fact_id,) = await store(world, "post.created")
    with pytest.raises(ConnectionError):
        async with world.units.write() as db:
            await db.facts.take_unsent(resend_after_s=NEVER_S, batch_size=1)
            raise ConnectionError
    assert [row.id for row in await send(world)] == [fact_id]


async def test_a_fact_whose_transaction_commits_late_is_not_skipped(world: World) -> None:
    async with world.units.write() as slow:
        (early,) = await slow.facts.insert_facts(facts=["post.created"], payloads=["{}"])
        (late,) = await store(world, "post.created")
        assert early < late
        assert [row.id for row in await send(world)] == [late]
    assert [row.id for row in await send(world)] == [early]


async def test_a_consumer_can_confirm_while_the_relay_still_holds_the_row(world: World) -> None:
    (fact_id,) = await store(world, "post.created")
    async with world.units.write() as relay:
        await relay.facts.take_unsent(resend_after_s=NEVER_S, batch_size=1)
        async with asyncio.timeout(5):
            assert await confirm(world, fact_id, "feed") is True


async def test_what_was_not_confirmed_in_time_is_sent_again(world: World) -> None:
    ids = await store(world, "post.created", "post.created")
    await send(world)
    await world.execute("UPDATE outbox SET sent_at = now() - interval '10 s' WHERE id = $1", ids[0])
    assert [row.id for row in await send(world, resend_after_s=5.0)] == [ids[0]]
    assert await send(world, resend_after_s=5.0) == []


async def test_a_fact_is_done_once_by_each_consumer(world: World) -> None:
    (fact_id,) = await store(world, "post.created")
    answers = await world.at_once(
        [
            lambda db: db.facts.confirm(fact_id=fact_id, consumer="feed"),
            lambda db: db.facts.confirm(fact_id=fact_id, consumer="other"),
        ]
        * 6
    )
    assert Counter(answers) == {True: 2, None: 10}


async def test_an_effect_that_fails_takes_its_confirmation_with_it(world: World) -> None:
    (fact_id,) = await store(world, "post.created")

    async def fail(db: Database) -> None:
        await db.facts.confirm(fact_id=fact_id, consumer="feed")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await world.write(fail)
    assert await confirm(world, fact_id, "feed") is True


async def test_rows_are_removed_when_every_consumer_has_confirmed(world: World) -> None:
    created, followed, unheard, unknown = await store(
        world, "post.created", "user.followed", "nobody.listens", "of.a.newer.node"
    )
    assert await sweep(world) == 0
    await send(world)
    assert await sweep(world) == 1
    await confirm(world, created, "feed")
    await confirm(world, followed, "feed")
    assert await sweep(world) == 1
    assert await left(world) == [created, unknown]
    await confirm(world, created, "other")
    assert await sweep(world) == 1
    assert await left(world) == [unknown]
    assert unheard not in await left(world)
    assert await world.value("SELECT count(*) FROM fact_done") == 0
    assert await confirm(world, created, "feed") is None


async def test_a_parked_fact_keeps_its_error_and_is_not_sent_again_until_replayed(world: World) -> None:
    (fact_id,) = await store(world, "user.followed")
    await send(world)
    assert await park(world, fact_id, "feed") is True
    assert await park(world, fact_id, "feed") is None
    assert await confirm(world, fact_id, "feed") is None
    assert await sweep(world) == 1
    assert await sweep(world) == 0
    assert await left(world) == [fact_id]
    assert await send(world, resend_after_s=-1.0) == []

    (parked,) = await world.read(lambda db: db.facts.list_parked(before_fact_id=MAX_ID, page_size=10))
    assert parked == ParkedRow(fact_id, "user.followed", '{"id": 0}', "feed", "ValueError: no", parked.parked_at)

    assert await world.write(lambda db: db.facts.replay(fact_id=fact_id, consumer="other")) is None
    assert await world.write(lambda db: db.facts.replay(fact_id=fact_id, consumer="feed")) is True
    assert [row.id for row in await send(world)] == [fact_id]
    assert await confirm(world, fact_id, "feed") is True
    assert await sweep(world) == 1
    assert await left(world) == []


async def test_parked_facts_are_paged(world: World) -> None:
    ids = await store(world, *["post.created"] * 3)
    for fact_id in ids:
        await park(world, fact_id, "feed")
    rows = await world.read(lambda db: db.facts.list_parked(before_fact_id=ids[2], page_size=1))
    assert [row.fact_id for row in rows] == [ids[1]]


async def test_the_backlog_has_a_count_and_an_age(world: World) -> None:
    async def backlog() -> tuple[int, int, int]:
        row = await world.read(lambda db: db.facts.read_backlog())
        assert (row.oldest_unsent_age_s >= 30) == (row.unsent_count > 0)
        return row.unsent_count, row.unconfirmed_count, row.parked_count

    assert await backlog() == (0, 0, 0)
    ids = await store(world, "user.followed", "user.followed", "user.followed")
    await world.execute("UPDATE outbox SET created_at = now() - interval '30 s' WHERE id = $1", ids[0])
    assert await backlog() == (3, 0, 0)
    await send(world)
    assert await backlog() == (0, 3, 0)
    await park(world, ids[0], "feed")
    await confirm(world, ids[1], "feed")
    await sweep(world)
    assert await backlog() == (0, 1, 1)

"""The log of Facts: what is read, in which order, and who reads it."""

import asyncio
import datetime
from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio

from sql.facts import LaneFactsRow
from tests.sql.world import World

FEED = "feed"
NAMES = ["post.created", "user.followed"]


@pytest_asyncio.fixture(autouse=True)
async def empty_log(world: World) -> AsyncIterator[None]:
    await world.execute("TRUNCATE facts, fact_checkpoints, fact_leases, fact_workers, fact_consumers, parked_facts")
    yield


async def store(world: World, *names: str, key: int = 0, until_readable: bool = True) -> None:
    payloads = [f'{{"n": {place}}}' for place in range(len(names))]
    await world.write(lambda db: db.facts.insert_facts(names=list(names), payloads=payloads, keys=[key] * len(names)))
    if until_readable:
        await readable(world)


async def readable(world: World) -> None:
    """Returns when no transaction of any other test holds the Facts."""
    async with asyncio.timeout(20):
        while await world.read(lambda db: db.facts.read_held()):
            await asyncio.sleep(0.01)


async def read(
    world: World, *, position: int = 0, fact_id: int = 0, lane: int = 0, size: int = 100, scan_size: int = 100
) -> LaneFactsRow:
    (row,) = await world.read(
        lambda db: db.facts.read_facts(
            lanes=[lane],
            positions=[position],
            fact_ids=[fact_id],
            names=NAMES,
            batch_size=size,
            scan_size=scan_size,
        )
    )
    return row


async def introduce(world: World, consumer: str = FEED, *, from_now: bool = False) -> None:
    await world.write(lambda db: db.facts.introduce_consumer(consumer=consumer, fact_names=NAMES, from_now=from_now))


async def claim(world: World, worker: str, *consumers: str, lease_s: float = 10.0) -> list[tuple[str, int]]:
    rows = await world.write(
        lambda db: db.facts.claim_lanes(worker=worker, consumers=list(consumers or (FEED,)), lease_s=lease_s)
    )
    return sorted((row.consumer, row.lane) for row in rows)


async def test_facts_of_a_key_stand_in_its_lane_in_their_order(world: World) -> None:
    await store(world, "post.created", "user.followed", "unheard.of", "post.created", key=21)
    found = await read(world, lane=5)
    assert found.names == ["post.created", "user.followed", "post.created"]
    assert found.payloads == ['{"n": 0}', '{"n": 1}', '{"n": 3}']
    assert found.ids == sorted(found.ids)
    assert len(set(found.positions)) == 1, "they were committed together"
    rest = await read(world, lane=5, position=found.positions[0], fact_id=found.ids[0])
    assert rest.payloads == ['{"n": 1}', '{"n": 3}']
    assert (await read(world, lane=5, size=2)).payloads == ['{"n": 0}', '{"n": 1}']
    nothing = await read(world, lane=4)
    assert (nothing.lane, nothing.ids, nothing.payloads, nothing.held) == (4, [], [], False)
    assert nothing.horizon > found.positions[0]


async def test_a_read_looks_at_so_many_facts_and_tells_how_far_it_came(world: World) -> None:
    await store(world, "unheard.of", "post.created", "unheard.of", "unheard.of", "post.created")
    found = await read(world, scan_size=3)
    assert (found.payloads, found.more) == (['{"n": 1}', '{"n": 2}'], True)
    rest = await read(world, position=found.positions[-1], fact_id=found.ids[-1], scan_size=3)
    assert (rest.payloads, rest.more) == (['{"n": 4}'], False)
    assert (await read(world, size=1, scan_size=3)).more


async def test_nothing_at_or_above_an_open_transaction_is_read_and_nothing_of_it_is_lost(world: World) -> None:
    await store(world, "post.created")
    async with world.units.write() as slow:
        await slow.facts.insert_facts(names=["user.followed"], payloads=["{}"], keys=[0])
        await store(world, "post.created", until_readable=False)
        found = await read(world)
        assert found.payloads == ['{"n": 0}']
        assert found.held
        assert await world.read(lambda db: db.facts.read_held()) > 0
    await readable(world)
    found = await read(world)
    assert found.names == ["post.created", "user.followed", "post.created"]
    assert not found.held


async def test_a_checkpoint_moves_only_from_where_it_was_read(world: World) -> None:
    await introduce(world)

    async def move(old: int, new: int) -> int:
        return await world.write(
            lambda db: db.facts.move_checkpoints(
                consumer=FEED, lanes=[3], old_positions=[old], old_fact_ids=[0], positions=[new], fact_ids=[0]
            )
        )

    assert await move(0, 5) == 1
    assert await move(0, 7) == 0
    assert await move(5, 9) == 1
    await world.execute("UPDATE fact_checkpoints SET position = 2 WHERE lane = 3")
    assert await move(2, 4) == 1
    (row,) = await world.read(lambda db: db.facts.read_checkpoints(consumer=FEED, lanes=[3]))
    assert row == (3, 4, 0, 9, 0), "the furthest place is kept"


async def test_a_new_consumer_begins_with_the_oldest_fact_or_now_and_a_known_one_where_it_was(world: World) -> None:
    await store(world, "post.created")
    await introduce(world, "oldest")
    await introduce(world, "newest", from_now=True)
    await introduce(world, "oldest", from_now=True)
    await store(world, "post.created")
    found = await world.read(lambda db: db.facts.read_lags(count_limit=10))
    assert {row.consumer: row.fact_count for row in found} == {"newest": 1, "oldest": 2}


async def test_lanes_are_shared_extended_given_up_and_taken_over(world: World) -> None:
    await introduce(world)
    everything = [(FEED, lane) for lane in range(8)]
    assert await claim(world, "one") == everything
    assert await claim(world, "two") == [], "nothing is free"
    assert await claim(world, "one") == everything[:4], "two needs its share"
    assert await claim(world, "two") == everything[4:]
    assert await claim(world, "one") == everything[:4]
    await world.write(lambda db: db.facts.release_lanes(worker="one"))
    assert await claim(world, "two") == everything
    await claim(world, "two", lease_s=-1.0)
    assert await claim(world, "three") == everything, "the leases of two have ended"


async def test_claims_at_the_same_time_give_each_lane_to_one_worker(world: World) -> None:
    await introduce(world)
    await introduce(world, "other")
    for _ in range(4):
        claims = await world.at_once(
            [
                lambda db, worker=worker: db.facts.claim_lanes(worker=worker, consumers=[FEED, "other"], lease_s=10.0)  # type: ignore[misc]
                for worker in ("a", "b", "c")
            ]
        )
        lanes = [(row.consumer, row.lane) for rows in claims for row in rows]
        assert len(lanes) == len(set(lanes))
    assert len(lanes) == 16


async def test_a_parked_fact_keeps_its_error_until_it_is_replayed(world: World) -> None:
    for fact_id, error in ((1, "ValueError: a"), (2, "ValueError: b"), (1, "ValueError: c")):
        await world.write(
            lambda db, fact_id=fact_id, error=error: db.facts.park(  # type: ignore[misc]
                consumer=FEED, fact_id=fact_id, name="post.created", payload='{"a": 1}', error=error
            )
        )
    rows = await world.read(lambda db: db.facts.list_parked(before_fact_id=10, page_size=10))
    assert [(row.fact_id, row.payload, row.error) for row in rows] == [
        (2, '{"a": 1}', "ValueError: b"),
        (1, '{"a": 1}', "ValueError: c"),
    ]
    assert await world.read(lambda db: db.facts.list_replays(consumer=FEED, page_size=10)) == []
    assert await world.write(lambda db: db.facts.ask_replay()) == 2
    assert await world.write(lambda db: db.facts.ask_replay()) == 0
    replays = await world.read(lambda db: db.facts.list_replays(consumer=FEED, page_size=10))
    assert [row.fact_id for row in replays] == [1, 2]
    assert await world.write(lambda db: db.facts.unpark(consumer=FEED, fact_id=1)) is True
    assert await world.write(lambda db: db.facts.unpark(consumer=FEED, fact_id=1)) is None


async def test_a_consumer_is_rewound_to_a_moment_and_never_moved_on(world: World) -> None:
    await introduce(world)
    await store(world, "post.created")
    await store(world, "post.created", key=1)
    await world.execute("UPDATE facts SET created_at = created_at - interval '1 hour' WHERE lane = 0")
    await world.execute("UPDATE fact_checkpoints SET position = change_stamp() WHERE lane < 2")
    moment = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)
    assert await world.write(lambda db: db.facts.rewind(consumer=FEED, moment=moment)) == 1
    (lag,) = await world.read(lambda db: db.facts.read_lags(count_limit=10))
    assert lag.fact_count == 1
    moment -= datetime.timedelta(hours=2)
    assert await world.write(lambda db: db.facts.rewind(consumer=FEED, moment=moment)) == 1
    assert await world.write(lambda db: db.facts.rewind(consumer=FEED, moment=moment)) == 0


async def test_a_forgotten_consumer_leaves_nothing(world: World) -> None:
    await introduce(world)
    assert await world.write(lambda db: db.facts.forget_consumer(consumer=FEED)) is True
    assert await world.write(lambda db: db.facts.forget_consumer(consumer=FEED)) is False
    assert await world.read(lambda db: db.facts.read_lags(count_limit=10)) == []
    assert await world.value("SELECT count(*) FROM fact_checkpoints") == 0


async def test_days_are_attached_ahead_and_dropped_when_they_are_over_and_read(world: World) -> None:
    await introduce(world)
    await world.execute(
        "CREATE TABLE facts_20250301 (LIKE facts INCLUDING DEFAULTS);"
        "ALTER TABLE facts ATTACH PARTITION facts_20250301 FOR VALUES FROM ('2025-03-01') TO ('2025-03-02')"
    )
    for day in ("2025-03-01", "2025-02-01"):
        await world.execute(
            "INSERT INTO facts (lane, name, payload, created_at)"
            " VALUES (1, 'post.created', '{}', $1::text::timestamptz)",
            day,
        )
    assert await world.value("SELECT count(*) FROM facts_default") == 1
    assert await world.write(lambda db: db.facts.drop_days(keep_days=7)) == 0, "it was not read"
    assert await world.value("SELECT count(*) FROM facts") == 2
    await world.execute("UPDATE fact_checkpoints SET position = change_stamp()")
    assert await world.write(lambda db: db.facts.drop_days(keep_days=7)) == 1
    assert await world.value("SELECT count(*) FROM facts") == 0

    await world.execute(
        "DO $$ BEGIN EXECUTE 'DROP TABLE facts_' || to_char(now() + interval '14 days', 'YYYYMMDD'); END $$"
    )
    assert await world.write(lambda db: db.facts.attach_days(days_ahead=14)) == 1
    assert await world.write(lambda db: db.facts.attach_days(days_ahead=14)) == 0
    await store(world, "post.created")
    assert await world.value("SELECT count(*) FROM facts_default") == 0


async def test_no_insert_waits_while_what_the_default_partition_holds_of_old_days_is_deleted(world: World) -> None:
    await introduce(world)
    await world.execute(
        "CREATE TABLE facts_20250301 (LIKE facts INCLUDING DEFAULTS);"
        "ALTER TABLE facts ATTACH PARTITION facts_20250301 FOR VALUES FROM ('2025-03-01') TO ('2025-03-02');"
        "INSERT INTO facts (lane, name, payload, created_at) VALUES (1, 'post.created', '{}', '2025-02-01')"
    )
    await world.execute("UPDATE fact_checkpoints SET position = change_stamp()")
    async with world.units.write() as reader:
        await reader.connection.execute("SELECT FROM facts_default FOR UPDATE")
        deleting = asyncio.create_task(world.write(lambda db: db.facts.drop_days(keep_days=7)))
        await asyncio.sleep(0.05)
        async with world.units.write() as writer:
            await writer.connection.execute("SET LOCAL lock_timeout = '20ms'")
            await writer.facts.insert_facts(names=["post.created"], payloads=["{}"], keys=[0])
    assert await deleting == 1


async def test_a_day_whose_lock_is_not_free_waits_for_another_time(world: World) -> None:
    day = "(SELECT to_char(now() + interval '13 days', 'YYYYMMDD'))"
    await world.execute(f"DO $$ BEGIN EXECUTE 'DROP TABLE facts_' || {day}; END $$")
    async with world.units.write() as dump:
        await dump.connection.execute("LOCK TABLE facts_default IN ACCESS SHARE MODE")
        assert await world.write(lambda db: db.facts.attach_days(days_ahead=14)) == 0
        await store(world, "post.created", until_readable=False)
    assert await world.write(lambda db: db.facts.attach_days(days_ahead=14)) == 1


async def test_another_history_of_the_database_begins_an_epoch_above_all_stamps(world: World) -> None:
    await store(world, "post.created")
    before = await read(world)
    assert await world.write(lambda db: db.sessions.note_epoch()) is False
    # As after a restore into another cluster, whose transactions are counted from lower numbers.
    history = await world.value("SELECT history FROM epochs")
    await world.execute("UPDATE epochs SET system_identifier = 1")
    assert await world.write(lambda db: db.sessions.note_epoch()) is True
    assert await world.value("SELECT history FROM epochs") != history
    assert await world.write(lambda db: db.sessions.note_epoch()) is False
    await store(world, "user.followed")
    found = await read(world)
    assert found.names == ["post.created", "user.followed"]
    first, second = (position >> 48 for position in found.positions)
    assert first == before.positions[0] >> 48 < second


async def test_an_epoch_waits_for_the_transactions_that_have_stamps_of_the_old_one(world: World) -> None:
    await world.execute("UPDATE epochs SET timeline_id = 77")
    async with world.units.write() as old:
        await old.facts.insert_facts(names=["post.created"], payloads=["{}"], keys=[0])
        async with world.units.write() as other:
            await other.connection.execute("SET LOCAL lock_timeout = '50ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await other.connection.fetchval("SELECT note_epoch()")
    assert await world.write(lambda db: db.sessions.note_epoch()) is True

"""Facts reach their consumers, whatever consumers, workers and other transactions do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import asyncpg
import pytest

from server.features import FEATURES
from server.worker import batches, consumer_loop
from server.worker.lanes import Lane, LaneFacts, LogPosition, ReadFacts
from sql.errors import StatementTooSlow
from tests.kit.facts import until_all_are_read
from tests.kit.log_watch import watched_log
from tests.kit.numbers_feature import CONSUMER, Numbers, NumberTable, number_worker
from tests.kit.odd_feature import OddFeature
from tests.kit.server import running_server, settings_for_tests
from tests.kit.services import Valkey, execute

WITHIN_S = 25


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.02)


async def test_what_was_made_before_and_after_the_start_is_stored_once(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    await table.make(1, 500)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers()):
        await table.until_read()
        await table.make(501, 1_000)
        await table.until_read()
    assert await table.stored() == list(range(1, 1_001))


async def test_a_batch_that_is_too_much_for_postgresql_is_tried_with_fewer_facts(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    async def refuse_many(numbers: Sequence[int]) -> None:
        if len(numbers) > 60:
            raise StatementTooSlow("canceling statement due to statement timeout")

    await table.make(1, 800)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers(refuse_many)):
        await table.until_read()
    assert await table.stored() == list(range(1, 801))
    assert await table.connection.fetchval("SELECT count(*) FROM parked_facts") == 0


async def test_a_consumer_of_rare_facts_reads_the_others_in_parts(
    table: NumberTable, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer_loop, "SCAN_SIZE", 50)
    others = (
        "INSERT INTO facts (lane, name, payload)"
        " SELECT fact_lane(n), 'nothing.to_it', '{}' FROM generate_series(1, 999) AS n"
    )
    await table.execute(others)
    await table.make(1, 8)
    await table.execute(others)
    await table.make(9, 9)
    numbers = Numbers()
    async with number_worker(settings_for_tests(database_url, redis_url), numbers):
        await table.until_read()
    assert await table.stored() == list(range(1, 10))
    assert all(numbers.batches), "it gets none of the others"
    assert await table.connection.fetchval("SELECT count(*) FROM parked_facts") == 0


async def test_a_fact_that_always_fails_is_parked_and_delays_no_other(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    async def choke(numbers: Sequence[int]) -> None:
        if 77 in numbers:
            raise ZeroDivisionError("a defect in a consumer")

    numbers = Numbers(choke)
    await table.make(1, 800)
    async with number_worker(settings_for_tests(database_url, redis_url), numbers):
        await table.until_read()
    assert await table.stored() == [number for number in range(1, 801) if number != 77]
    (parked,) = await table.connection.fetch("SELECT consumer, payload::text, error FROM parked_facts")
    assert tuple(parked) == (CONSUMER, '{"number": 77}', "ZeroDivisionError: a defect in a consumer")
    assert numbers.batches.count([77]) == batches.TRIES_BEFORE_PARKING
    assert len(numbers.batches) < 40, "it is found by halving"


@pytest.mark.parametrize("is_for_good", [True, False])
async def test_a_fact_whose_statements_take_too_long_is_parked_after_a_while(
    table: NumberTable, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, is_for_good: bool
) -> None:
    monkeypatch.setattr(batches, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(batches, "TOO_SLOW_FOR_S", 0.3 if is_for_good else 600.0)
    tries = 0

    async def take_too_long(numbers: Sequence[int]) -> None:
        nonlocal tries
        if 77 in numbers:
            tries += len(numbers) == 1
            if is_for_good or tries < batches.TRIES_BEFORE_PARKING + 2:
                raise StatementTooSlow("canceling statement due to statement timeout")

    await table.make(1, 100)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers(take_too_long)):
        await table.until_read()
    assert await table.stored() == [number for number in range(1, 101) if number != 77 or not is_for_good]
    assert await table.connection.fetchval("SELECT count(*) FROM parked_facts") == is_for_good


async def test_a_replayed_fact_is_stored_once_or_parked_again(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    broken = {7, 9}

    async def choke(numbers: Sequence[int]) -> None:
        if bad := broken.intersection(numbers):
            raise ValueError(f"odd \0 and \ud800: {sorted(bad)}")

    await table.make(1, 10)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers(choke)):
        await table.until_read()
        broken.remove(7)
        await table.execute("UPDATE parked_facts SET replay_asked_at = now()")
        async with asyncio.timeout(WITHIN_S):
            while await table.connection.fetchval(
                "SELECT count(*) FROM parked_facts WHERE replay_asked_at IS NOT NULL"
            ):
                await asyncio.sleep(0.02)
    assert await table.stored() == [1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert await table.connection.fetchval("SELECT error FROM parked_facts") == "ValueError: odd \\0 and \\ud800: [9]"


async def test_a_replay_that_fails_parks_nothing_that_another_worker_has_dealt_with(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    is_parked, begun, may_go_on = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def choke(numbers: Sequence[int]) -> None:
        if 7 in numbers:
            if is_parked.is_set():
                begun.set()
                await may_go_on.wait()
            raise ValueError("odd")

    await table.make(7, 7)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers(choke)):
        await table.until_read()
        is_parked.set()
        await table.execute("UPDATE parked_facts SET replay_asked_at = now()")
        async with asyncio.timeout(WITHIN_S):
            await begun.wait()
        # As another worker does that replays it with success.
        await table.execute("DELETE FROM parked_facts; INSERT INTO numbers VALUES (7)")
        may_go_on.set()
        await table.make(8, 8)
        await table.until_read()
    assert await table.stored() == [7, 8]
    assert await table.connection.fetchval("SELECT count(*) FROM parked_facts") == 0


async def test_a_reaction_that_awaits_what_was_cancelled_fails_and_ends_no_loop(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    async def await_cancelled(numbers: Sequence[int]) -> None:
        if 7 in numbers:
            future = asyncio.get_running_loop().create_future()
            future.cancel()
            await future

    await table.make(1, 16)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers(await_cancelled)):
        await table.until_read(within_s=10)
    assert await table.stored() == [number for number in range(1, 17) if number != 7]
    error = await table.connection.fetchval("SELECT error FROM parked_facts")
    assert error == "RuntimeError: the reaction was cancelled from within"


async def test_a_fact_of_a_transaction_that_commits_late_is_not_passed_over(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    numbers = Numbers()
    slow = await asyncpg.connect(database_url)
    try:
        async with number_worker(settings_for_tests(database_url, redis_url), numbers):
            transaction = slow.transaction()
            await transaction.start()
            await NumberTable(slow).make(1, 8)
            await table.make(9, 16)
            await asyncio.sleep(2 * consumer_loop.POLL_S)
            assert await table.stored() == [], "what is behind an open transaction waits"
            await transaction.commit()
            await table.until_read()
    finally:
        await slow.close()
    assert await table.stored() == list(range(1, 17))


def test_a_read_that_brings_facts_begins_the_short_waits_anew() -> None:
    loop = object.__new__(consumer_loop.ConsumerLoop)
    loop._held_since_s = None
    held = ReadFacts([], [], held=True, more=False)
    assert loop._pause(held, 0.0) == consumer_loop.HELD_POLL_S
    assert loop._pause(held, 2 * consumer_loop.HELD_SHORT_S) == consumer_loop.POLL_S
    position = LogPosition(1, 1)
    facts = LaneFacts(Lane(0, position, position, position), [1], [1], ["x"], ["{}"], position)
    assert loop._pause(ReadFacts([], [facts], held=True, more=False), 3 * consumer_loop.HELD_SHORT_S) == 0.0
    assert loop._pause(held, 4 * consumer_loop.HELD_SHORT_S) == consumer_loop.HELD_POLL_S


async def test_a_worker_that_lost_its_lanes_in_the_middle_of_a_batch_stores_nothing_of_it(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    hung, may_go_on = asyncio.Event(), asyncio.Event()

    async def hang(numbers: Sequence[int]) -> None:
        hung.set()
        await may_go_on.wait()

    await table.make(1, 300)
    async with number_worker(settings_for_tests(database_url, redis_url), Numbers(hang)):
        await hung.wait()
        # As another worker does that has got its lanes meanwhile.
        await table.execute(
            "INSERT INTO numbers SELECT (payload ->> 'number')::int FROM facts;"
            " UPDATE fact_checkpoints SET position = change_stamp(), fact_id = 0"
        )
        may_go_on.set()
        await table.make(301, 310)
        await table.until_read()
    assert await table.stored() == list(range(1, 311))


async def test_effects_are_stored_once_while_workers_come_and_go(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    settings = settings_for_tests(database_url, redis_url, fact_lease_s=1.0)

    async def pause(numbers: Sequence[int]) -> None:
        await asyncio.sleep(0.01)

    async def come_and_go(first_pause_s: float) -> None:
        await asyncio.sleep(first_pause_s)
        for _ in range(3):
            async with number_worker(settings, Numbers(pause)):
                await asyncio.sleep(0.3)

    async def write() -> None:
        for first in range(1, 2_000, 20):
            await table.make(first, first + 19)
            await asyncio.sleep(0.01)

    async with number_worker(settings, Numbers(pause)):
        await asyncio.gather(write(), come_and_go(0.1), come_and_go(0.35))
        await table.until_read()
    assert await table.stored() == list(range(1, 2_001))


async def test_workers_share_the_lanes_and_a_stopped_one_leaves_its_own_at_once(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    settings = settings_for_tests(database_url, redis_url, fact_lease_s=10.0)
    one, other = Numbers(), Numbers()
    async with number_worker(settings, one):
        async with number_worker(settings, other):
            async with asyncio.timeout(WITHIN_S):
                while await table.connection.fetchval(
                    "SELECT array_agg(n) FROM (SELECT count(*) AS n FROM fact_leases"
                    " WHERE worker IS NOT NULL GROUP BY worker) AS share"
                ) != [4, 4]:
                    await asyncio.sleep(0.02)
            await table.make(1, 160)
            await table.until_read()
            assert one.batches
            assert other.batches
        await table.make(161, 320)
        await table.until_read(within_s=8)  # its leases would end later
    assert await table.stored() == list(range(1, 321))


async def test_what_a_consumer_is_rewound_to_is_dealt_with_again_without_pushes(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    odd = OddFeature()
    settings = settings_for_tests(database_url, redis_url, fact_lease_s=0.5)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
        me = await server.person("rewound")
        device = await me.device(namespaces=["/odd"])
        await me.rest("POST", "/odd/tell", {})
        assert await device.expect_push("odd:noted") == {"user_id": me.id}  # from the command
        assert await device.expect_push("odd:noted") == {"user_id": me.id}  # from the consumer
        await until_all_are_read(database_url)
        await table.execute("UPDATE fact_checkpoints SET position = 0, fact_id = 0 WHERE consumer = 'odd_reader'")
        await _until(lambda: len(odd.reactions) == 2)
        await device.expect_silence("odd:noted")
        await me.rest("POST", "/odd/tell", {})
        for _ in range(2):
            await device.expect_push("odd:noted")


async def test_an_outage_of_redis_delays_no_consumer_that_does_not_need_it(database_url: str, valkey: Valkey) -> None:
    odd = OddFeature()
    settings = settings_for_tests(database_url, valkey.url)
    async with running_server(settings, features=(*FEATURES, odd.feature())) as server:
        me = await server.person("patient")
        valkey.stop()
        try:
            _, answer = await me.rest("POST", "/odd/tell", {})
            assert answer["ok"]
            await _until(lambda: odd.reactions == [int(me.id)])
        finally:
            valkey.start()


async def test_facts_wait_for_a_redis_that_their_consumer_needs(database_url: str, valkey: Valkey) -> None:
    settings = settings_for_tests(database_url, valkey.url)
    async with running_server(settings) as server:
        ada, bea = await server.people("waiting_ada", "waiting_bea")
        await bea.do("/users", "user:follow", {"user_id": ada.id})
        await until_all_are_read(database_url)
        with watched_log("consumer_waits", "consumer_waits_over") as seen:
            valkey.stop()
            await bea.rest("DELETE", f"/users/{ada.id}/follow")
            await bea.rest("POST", f"/users/{ada.id}/follow")
            await _until(lambda: any(line["consumer"] == "feed_follow" for line in seen))
            await asyncio.sleep(3 * consumer_loop.PAUSE_AFTER_FAILURE_S)
            begun = [line["consumer"] for line in seen]
            assert len(begun) == len(set(begun)), "one line for each consumer that waits"
            valkey.start()
            await until_all_are_read(database_url)
            await _until(lambda: len(seen) == 2 * len(begun))


@pytest.mark.parametrize(("state", "level"), [("P0001", "error"), ("53000", "warning")], ids=["defect", "outage"])
async def test_a_loop_that_keeps_failing_logs_the_beginning_and_the_end(
    table: NumberTable, database_url: str, redis_url: str, state: str, level: str
) -> None:
    lines = ("leases_wait", "consumer_waits")
    overs = tuple(f"{line}_over" for line in lines)
    await execute(
        database_url,
        "CREATE SEQUENCE tries",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM nextval('tries');"
        f" RAISE EXCEPTION 'refused' USING ERRCODE = '{state}'; END $$",
    )
    try:
        with watched_log(*lines, *overs) as logged:
            settings = settings_for_tests(database_url, redis_url, fact_lease_s=3.0)
            async with number_worker(settings, Numbers()):
                await table.make(1, 8)
                await table.until_read()
                for name in ("fact_leases", "fact_checkpoints"):
                    await table.execute(
                        f"CREATE TRIGGER refuse BEFORE UPDATE ON {name} FOR EACH STATEMENT EXECUTE FUNCTION refuse()"
                    )
                await table.make(9, 16)
                async with asyncio.timeout(WITHIN_S):
                    while await table.connection.fetchval("SELECT last_value FROM tries") < 10:
                        await asyncio.sleep(0.01)
                await _until(lambda: len(logged) == 2)
                assert sorted(line["event"] for line in logged) == sorted(lines)
                assert {"exc_info" in line for line in logged} == {level == "error"}
                await table.execute("DROP TRIGGER refuse ON fact_leases; DROP TRIGGER refuse ON fact_checkpoints")
                await table.until_read()
                await _until(lambda: len(logged) == 4)
    finally:
        await execute(database_url, "DROP FUNCTION refuse CASCADE", "DROP SEQUENCE tries")
    assert await table.stored() == list(range(1, 17))

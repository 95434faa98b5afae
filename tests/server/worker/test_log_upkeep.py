"""What waits in the log is measured, and a transaction that holds the consumers back is told."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from server.worker import log_upkeep
from tests.kit.facts import until_all_are_read
from tests.kit.log_watch import watched_log
from tests.kit.numbers_feature import CONSUMER, Numbers, NumberTable
from tests.kit.server import RunningServer, running_server, settings_for_tests

WITHIN_S = 20


async def _metric(server: RunningServer, name: str) -> float:
    async with server.http.get(f"{server.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next((float(line.split()[-1]) for line in lines if line.startswith(name)), -1.0)


async def test_a_long_transaction_elsewhere_delays_and_alarms_and_loses_nothing(
    table: NumberTable, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_upkeep, "MEASURE_EVERY_S", 0.05)
    monkeypatch.setattr(log_upkeep, "HELD_TOO_LONG_S", 0.3)
    elsewhere = await asyncpg.connect(database_url, database="postgres")
    settings = settings_for_tests(database_url, redis_url)
    lag = f'rookery_consumer_lag_facts{{consumer="{CONSUMER}"}}'
    try:
        async with running_server(settings, features=[Numbers().feature()]) as server:
            with watched_log("facts_held", "facts_held_over") as logged:
                transaction = elsewhere.transaction()
                await transaction.start()
                await elsewhere.fetchval("SELECT pg_current_xact_id()")
                await table.make(1, 80)
                async with asyncio.timeout(WITHIN_S):
                    while not logged or await _metric(server, lag) != 80:
                        await asyncio.sleep(0.02)
                assert await _metric(server, "rookery_facts_held_seconds") > 0.3
                assert await table.stored() == []
                await transaction.rollback()
                await until_all_are_read(database_url)
                async with asyncio.timeout(WITHIN_S):
                    while len(logged) < 2 or await _metric(server, lag) != 0:
                        await asyncio.sleep(0.02)
    finally:
        await elsewhere.close()
    assert [line["event"] for line in logged] == ["facts_held", "facts_held_over"]
    assert await table.stored() == list(range(1, 81))


async def test_days_that_are_over_go_and_missing_ones_come_at_the_start(
    table: NumberTable, database_url: str, redis_url: str
) -> None:
    await table.execute(
        "CREATE TABLE facts_20250401 (LIKE facts INCLUDING DEFAULTS);"
        "ALTER TABLE facts ATTACH PARTITION facts_20250401 FOR VALUES FROM ('2025-04-01') TO ('2025-04-02');"
        "DO $$ BEGIN EXECUTE 'DROP TABLE facts_' || to_char(now() + interval '14 days', 'YYYYMMDD'); END $$"
    )
    async with running_server(settings_for_tests(database_url, redis_url), features=[Numbers().feature()]):
        async with asyncio.timeout(WITHIN_S):
            while await table.connection.fetchval(
                "SELECT to_regclass('facts_20250401') IS NOT NULL"
                " OR to_regclass('facts_' || to_char(now() + interval '14 days', 'YYYYMMDD')) IS NULL"
            ):
                await asyncio.sleep(0.02)


async def test_what_waits_is_measured_while_days_cannot_be_dropped(
    table: NumberTable, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_upkeep, "MEASURE_EVERY_S", 0.05)
    monkeypatch.setattr(log_upkeep, "PARTITIONS_AGAIN_S", 0.0)
    await table.execute(
        "ALTER FUNCTION drop_fact_days RENAME TO kept_away; CREATE FUNCTION drop_fact_days(keep_days integer)"
        " RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused' USING ERRCODE = '57014'; END $$"
    )
    lines = ("fact_days_wait", "fact_days_wait_over")
    try:
        with watched_log(*lines) as logged:
            settings = settings_for_tests(database_url, redis_url)
            async with running_server(settings, features=[Numbers().feature()]) as server:
                async with asyncio.timeout(WITHIN_S):
                    while not logged or await _metric(server, "rookery_facts_held_seconds") != 0:
                        await asyncio.sleep(0.02)
                    while await _metric(server, f'rookery_consumer_lag_facts{{consumer="{CONSUMER}"}}') != 0:
                        await asyncio.sleep(0.02)
                await table.execute("DROP FUNCTION drop_fact_days; ALTER FUNCTION kept_away RENAME TO drop_fact_days")
                async with asyncio.timeout(WITHIN_S):
                    while len(logged) < 2:
                        await asyncio.sleep(0.02)
    finally:
        if await table.connection.fetchval("SELECT to_regproc('kept_away') IS NOT NULL"):
            await table.execute("DROP FUNCTION drop_fact_days; ALTER FUNCTION kept_away RENAME TO drop_fact_days")
    assert [line["event"] for line in logged] == list(lines)


async def test_another_history_is_noted_without_a_new_connection(
    table: NumberTable, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_upkeep, "MEASURE_EVERY_S", 0.05)
    before = await table.connection.fetchval("SELECT epoch FROM epochs")
    async with running_server(settings_for_tests(database_url, redis_url), features=[Numbers().feature()]):
        await table.make(1, 8)
        await table.until_read()
        await table.execute("UPDATE epochs SET timeline_id = 77")
        async with asyncio.timeout(WITHIN_S):
            while await table.connection.fetchval("SELECT epoch FROM epochs") <= before:
                await asyncio.sleep(0.02)

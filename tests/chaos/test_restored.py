"""A database that was restored begins another epoch: its consumers go on where it stands, and nothing is told twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest

from server.dev.embedded_postgres import EmbeddedPostgres
from sql.migrate import migrate
from tests.chaos.clusters import archive, copy_files, follow, recover_to, run_program, start_archiving, two_clusters
from tests.chaos.fact_stage import CONSUMERS, fact_stage
from tests.journeys.servers import settings_of_processes
from tests.kit.facts import count_unread

pytestmark = [pytest.mark.large, pytest.mark.timeout(180)]


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    with two_clusters(tmp_path) as made:
        yield made


async def test_a_dump_that_is_restored_into_another_cluster(
    clusters: tuple[EmbeddedPostgres, EmbeddedPostgres], redis_url: str, tmp_path: Path
) -> None:
    first, second = clusters
    first.start()
    await migrate(first.url)
    environment = settings_of_processes(first.url, redis_url, tmp_path)
    async with fact_stage(environment, workers=1) as stage:
        async with stage.under_load():
            while await stage.connection.fetchval("SELECT count(*) FROM bench_effects") < 1_000:
                pass
            run_program("pg_dump", "--dbname", first.url, "--file", str(tmp_path / "dump.sql"))
        await stage.judge()
    second.start()
    run_program(
        "psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", second.url, "--file", str(tmp_path / "dump.sql")
    )
    await _goes_on(settings_of_processes(second.url, redis_url, tmp_path))


async def test_a_recovery_to_a_point_in_time(
    clusters: tuple[EmbeddedPostgres, EmbeddedPostgres], redis_url: str, tmp_path: Path
) -> None:
    first, second = clusters
    await start_archiving(first)
    async with fact_stage(settings_of_processes(first.url, redis_url, tmp_path), workers=1) as stage:
        await copy_files(stage.connection, first, second)
        async with stage.under_load():
            while await stage.connection.fetchval("SELECT count(*) FROM bench_effects") < 1_000:
                pass
            moment = await stage.connection.fetchval("SELECT clock_timestamp()::text")
            while await stage.connection.fetchval("SELECT count(*) FROM bench_effects") < 2_000:
                pass
        await stage.judge()
        await archive(stage.connection)
    recover_to(moment, first, second)
    second.start()
    connection = await asyncpg.connect(second.url)
    assert await connection.fetchval("SELECT count(*) FROM bench_effects") < 2_000
    await connection.close()
    await _goes_on(settings_of_processes(second.url, redis_url, tmp_path))


async def test_a_promotion_begins_an_epoch_before_its_first_checkpoint_has_ended(
    clusters: tuple[EmbeddedPostgres, EmbeddedPostgres],
) -> None:
    first, second = clusters
    first.start()
    await migrate(first.url)
    connection = await asyncpg.connect(first.url)
    await copy_files(connection, first, second)
    await connection.close()
    follow(first, second)
    second.start()
    connection = await asyncpg.connect(second.url)
    try:
        assert await connection.fetchval("SELECT note_epoch()") is False, "it is a standby"
        before = await connection.fetchval("SELECT epoch FROM epochs")
        assert await connection.fetchval("SELECT pg_promote()")
        assert await connection.fetchval("SELECT note_epoch()") is True
        assert await connection.fetchval("SELECT epoch FROM epochs") > before
        await connection.execute("CHECKPOINT")
        assert await connection.fetchval("SELECT note_epoch()") is False
    finally:
        await connection.close()


async def _goes_on(environment: Mapping[str, str]) -> None:
    """What was not read is read, what is new comes after all that was stored before, and no effect is stored twice."""
    connection = await asyncpg.connect(environment["DATABASE_URL"])
    epoch = await connection.fetchval("SELECT max(position) >> 48 FROM facts")
    stored = await connection.fetchval("SELECT count(*) FROM facts")
    assert stored
    try:
        async with fact_stage(environment, workers=2, keep=True) as stage:
            stage.made = stored
            async with stage.under_load():
                while stage.made == stored or await count_unread(connection):
                    stage.made = await connection.fetchval("SELECT count(*) FROM facts")
            await stage.judge()
            assert stage.made > stored
        assert await connection.fetchval("SELECT max(position) >> 48 FROM facts") > epoch
        assert await connection.fetchval("SELECT count(*) FROM bench_effects") == stage.made * CONSUMERS
    finally:
        await connection.close()

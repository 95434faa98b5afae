"""A database that was restored begins another epoch: its consumers go on where it stands, and nothing is told twice."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg
import pytest

from server.dev.embedded_binaries import postgres_binaries
from server.dev.embedded_postgres import EmbeddedPostgres
from sql.migrate import migrate
from tests.chaos.fact_stage import CONSUMERS, fact_stage
from tests.chaos.truth import Connection
from tests.journeys.servers import settings_of_processes
from tests.kit.facts import count_unread

pytestmark = [pytest.mark.large, pytest.mark.timeout(180)]
ARCHIVED_WITHIN_S = 30


@pytest.fixture
def clusters(tmp_path: Path) -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    made = EmbeddedPostgres(tmp_path / "first", durable=False), EmbeddedPostgres(tmp_path / "second", durable=False)
    try:
        yield made
    finally:
        for cluster in made:
            cluster.stop()


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
            _run("pg_dump", "--dbname", first.url, "--file", str(tmp_path / "dump.sql"))
        await stage.judge()
    second.start()
    _run("psql", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", second.url, "--file", str(tmp_path / "dump.sql"))
    await _goes_on(settings_of_processes(second.url, redis_url, tmp_path))


async def test_a_recovery_to_a_point_in_time(
    clusters: tuple[EmbeddedPostgres, EmbeddedPostgres], redis_url: str, tmp_path: Path
) -> None:
    first, second = clusters
    first.start()
    admin = await asyncpg.connect(first.url)
    await admin.execute("ALTER SYSTEM SET archive_mode = on")
    await admin.execute("ALTER SYSTEM SET archive_command = 'mkdir -p archive && cp %p archive/%f'")
    await admin.close()
    first.stop()
    first.start()
    await migrate(first.url)
    async with fact_stage(settings_of_processes(first.url, redis_url, tmp_path), workers=1) as stage:
        await _copy_files(stage.connection, first, second)
        async with stage.under_load():
            while await stage.connection.fetchval("SELECT count(*) FROM bench_effects") < 1_000:
                pass
            moment = await stage.connection.fetchval("SELECT clock_timestamp()::text")
            while await stage.connection.fetchval("SELECT count(*) FROM bench_effects") < 2_000:
                pass
        await stage.judge()
        await _archive(stage.connection)
    _recover_to(moment, first, second)
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
    await _copy_files(connection, first, second)
    await connection.close()
    _follow(first, second)
    second.start()
    connection = await asyncpg.connect(second.url)
    try:
        assert await connection.fetchval("SELECT note_epoch()") is False, "it is a standby"
        before = await connection.fetchval("SELECT epoch FROM epochs")
        assert await connection.fetchval("SELECT pg_promote()")
        assert await connection.fetchval("SELECT note_epoch()") is True
        assert await connection.fetchval("SELECT epoch FROM epochs") == before + 1
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
            async with stage.under_load():
                while await count_unread(connection) or stage.made == stored:
                    stage.made = await connection.fetchval("SELECT count(*) FROM facts")
            await stage.judge()
            assert stage.made > stored
        assert await connection.fetchval("SELECT max(position) >> 48 FROM facts") == epoch + 1
        assert await connection.fetchval("SELECT count(*) FROM bench_effects") == stage.made * CONSUMERS
    finally:
        await connection.close()


async def _copy_files(connection: Connection, source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
    """A base backup: the files as they are while the server runs, and the label that tells where to recover from."""
    source_data = source.data.resolve()
    await connection.execute("SELECT pg_backup_start('copy', true)")
    shutil.copytree(
        source_data, target.data, ignore=shutil.ignore_patterns("postmaster.*", "pg_wal", "archive"), symlinks=True
    )
    (target.data / "pg_wal").mkdir(mode=0o700)
    label = await connection.fetchrow("SELECT labelfile, spcmapfile FROM pg_backup_stop()")
    assert label is not None
    (target.data / "backup_label").write_text(label["labelfile"])
    owner = source_data.stat()
    for path in (target.data, *target.data.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    target.data.chmod(0o700)


def _follow(source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
    (target.data / "standby.signal").touch()
    with open(target.data / "postgresql.auto.conf", "a") as settings:
        settings.write(f"\nrestore_command = 'cp {source.data.resolve()}/pg_wal/%f %p'\n")


def _recover_to(moment: str, source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
    (target.data / "recovery.signal").touch()
    with open(target.data / "postgresql.auto.conf", "a") as settings:
        settings.write(
            f"\narchive_mode = off\nrestore_command = 'cp {source.data.resolve()}/archive/%f %p'\n"
            f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n"
        )


async def _archive(connection: Connection) -> None:
    """Returns when the log up to here is archived."""
    segment = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + ARCHIVED_WITHIN_S
    while (await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < segment:
        assert time.monotonic() < deadline


def _run(program: str, *arguments: str) -> None:
    done = subprocess.run([postgres_binaries() / program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

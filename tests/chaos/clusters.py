"""Clusters of PostgreSQL that are dumped, copied, restored and recovered."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

from server.dev.embedded_binaries import postgres_binaries
from server.dev.embedded_postgres import EmbeddedPostgres
from sql.migrate import migrate
from tests.chaos.truth import Connection

ARCHIVED_WITHIN_S = 30


@contextmanager
def two_clusters(folder: Path) -> Iterator[tuple[EmbeddedPostgres, EmbeddedPostgres]]:
    """Neither is started; both are stopped at the end."""
    made = EmbeddedPostgres(folder / "first", durable=False), EmbeddedPostgres(folder / "second", durable=False)
    try:
        yield made
    finally:
        for cluster in made:
            cluster.stop()


async def start_archiving(cluster: EmbeddedPostgres) -> None:
    """Starts it as a cluster that can be recovered to any point in time, with our schema."""
    cluster.start()
    admin = await asyncpg.connect(cluster.url)
    await admin.execute("ALTER SYSTEM SET archive_mode = on")
    await admin.execute("ALTER SYSTEM SET archive_command = 'mkdir -p archive && cp %p archive/%f'")
    await admin.close()
    cluster.stop()
    cluster.start()
    await migrate(cluster.url)


async def copy_files(connection: Connection, source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
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


def follow(source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
    """Makes a copy a standby of its source, once it is started."""
    (target.data / "standby.signal").touch()
    with open(target.data / "postgresql.auto.conf", "a") as settings:
        settings.write(f"\nrestore_command = 'cp {source.data.resolve()}/pg_wal/%f %p'\n")


def recover_to(moment: str, source: EmbeddedPostgres, target: EmbeddedPostgres) -> None:
    """Makes a copy a cluster of its own as of this moment, once it is started."""
    (target.data / "recovery.signal").touch()
    with open(target.data / "postgresql.auto.conf", "a") as settings:
        settings.write(
            f"\narchive_mode = off\nrestore_command = 'cp {source.data.resolve()}/archive/%f %p'\n"
            f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n"
        )


async def archive(connection: Connection) -> None:
    """Returns when the log up to here is archived."""
    segment = await connection.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
    deadline = time.monotonic() + ARCHIVED_WITHIN_S
    while (await connection.fetchval("SELECT last_archived_wal FROM pg_stat_archiver") or "") < segment:
        assert time.monotonic() < deadline


def run_program(program: str, *arguments: str) -> None:
    """One of the programs of PostgreSQL."""
    done = subprocess.run([postgres_binaries() / program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

"""pgbench understands the script of every command, and executes its statements."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import asyncpg
import pytest

from loadtest.bench.calls import COMMANDS
from loadtest.bench.commands.installation import Installation
from loadtest.bench.commands.participants import PgbenchParticipant
from loadtest.bench.commands.pgbench import read_durations_s
from loadtest.bench.commands.postgres import PostgresProcesses
from tests.loadtest.bench.commands.stage import STATEMENTS, Stage, peer_database

COUNTS = """
SELECT
    (SELECT count(*) FROM posts) AS post_count,
    (SELECT count(*) FROM comments) AS comment_count,
    (SELECT count(*) FROM messages) AS message_count
"""


async def test_every_command_is_executed(stage: Stage, database_url: str, tmp_path: Path) -> None:
    postgres = PostgresProcesses.of_data(Path(os.environ["ROOKERY_TEST_RUN_FOLDER"]) / "postgres")
    program = postgres.program("pgbench")
    if program is None:
        pytest.skip("there is no pgbench here: apt install postgresql-contrib")
    stage.world.write(tmp_path / "world.json")
    installed = Installation(tmp_path, {}, peer_database(database_url), postgres, tmp_path / "world.json")
    connection = await asyncpg.connect(database_url)
    try:
        before = await connection.fetchrow(COUNTS)
        pgbench = await asyncio.to_thread(PgbenchParticipant, program, installed, STATEMENTS, warm_s=0.1)
        for command in COMMANDS:
            measured = await asyncio.to_thread(pgbench.run, command, 1, 0.1)
            assert measured.commands > 0 and 0 < measured.p50_ms <= measured.p99_ms, command
            assert measured.postgres_cpu_s > 0, command
        after = await connection.fetchrow(COUNTS)
    finally:
        await connection.close()
    assert before is not None and after is not None
    assert all(more > some for more, some in zip(after, before, strict=True))


def test_transactions_that_ended_while_it_was_measured_count(tmp_path: Path) -> None:
    log = tmp_path / "log.1"
    log.write_text("0 1 5000 0 10 0\n0 2 7000 0 10 500000\n0 3 failed 0 10 600000\n0 4 9000 0 11 0\n")
    assert read_durations_s([log], began_s=10.25, ended_s=11) == [0.007]

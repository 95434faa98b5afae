"""Facts that were given up on can be seen, and sent again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asyncpg

from tests.kit.services import execute, run_async

_CHECKOUT = Path(__file__).parents[3]


def _parked(database_url: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "server", "parked", *options],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    )


async def _unsent(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM outbox WHERE sent_at IS NULL"))
    finally:
        await connection.close()


def test_parked_facts_are_shown_and_sent_again(database_url: str) -> None:
    run_async(
        execute(
            database_url,
            "INSERT INTO outbox (id, fact, payload, sent_at) SELECT n, 'post.created', '{}', 'infinity'"
            " FROM generate_series(1, 105) n",
            "INSERT INTO fact_done (fact_id, consumer, error) SELECT n, consumer, 'boom'"
            " FROM generate_series(1, 105) n, unnest('{one,two}'::text[]) consumer",
        )
    )
    shown = _parked(database_url)
    assert len(shown.stdout.splitlines()) == 210
    assert shown.stdout.count("one post.created {}: boom") == 105
    assert run_async(_unsent(database_url)) == 0
    assert "sent again" in _parked(database_url, "--replay").stderr
    assert run_async(_unsent(database_url)) == 105
    assert _parked(database_url).stdout == ""

"""What consumers have not dealt with, and have given up on, can be seen and tried again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.services import execute, run_async

_CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def database(database_url: str) -> str:
    run_async(
        execute(
            database_url,
            "TRUNCATE facts, fact_checkpoints, fact_leases, fact_consumers, parked_facts",
            "INSERT INTO fact_consumers SELECT name, '{post.created}' FROM unnest('{one,two}'::text[]) AS name",
            "INSERT INTO fact_checkpoints"
            " SELECT consumer, lane, stamp_horizon(), 0, 0, 0 FROM fact_consumers, generate_series(0, 7) AS lane",
            "INSERT INTO fact_leases SELECT consumer, lane FROM fact_checkpoints",
            "INSERT INTO facts (lane, name, payload) SELECT n % 8, 'post.created', '{}' FROM generate_series(1, 30) n",
            "UPDATE fact_checkpoints SET position = 1 WHERE consumer = 'two'",
            "INSERT INTO parked_facts (consumer, fact_id, name, payload, error)"
            " SELECT consumer, n, 'post.created', '{}', 'boom' FROM fact_consumers, generate_series(1, 105) n",
        )
    )
    return database_url


def _facts(database_url: str, *options: str, fails: bool = False) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "server", "facts", *options],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode != 0) is fails, done.stderr
    return done


def test_what_waits_is_parked_rewound_and_forgotten_is_told(database: str) -> None:
    one, two = _facts(database).stdout.splitlines()
    assert one.split()[:3] == ["one", "30", "waiting"]
    assert two.split()[:3] == ["two", "30", "waiting"]
    assert "105 parked" in one

    parked = _facts(database, "parked").stdout.splitlines()
    assert len(parked) == 210
    assert sum("one post.created {}: boom" in line for line in parked) == 105
    assert "210 parked facts are tried again" in _facts(database, "replay").stderr
    assert "0 parked facts are tried again" in _facts(database, "replay").stderr

    run_async(execute(database, "UPDATE fact_checkpoints SET position = stamp_horizon()"))
    assert _facts(database).stdout.split()[1] == "0"
    assert "8 lanes of two moved back" in _facts(database, "rewind", "two", "--to", "2026-01-01").stderr
    assert [line.split()[1] for line in _facts(database).stdout.splitlines()] == ["0", "30"]

    assert "two is forgotten" in _facts(database, "forget", "two").stderr
    assert len(_facts(database).stdout.splitlines()) == 1
    failed = _facts(database, "rewind", "two", "--to", "2026-01-01", fails=True)
    assert failed.stderr == "rookery: there is no consumer two; there are: one\n"

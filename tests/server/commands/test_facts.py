"""What consumers have not dealt with, and have given up on, can be seen and tried again."""

from __future__ import annotations

import datetime
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from server.cli_error import CliError
from server.commands.facts import forget, replay, rewind, show_lags, show_parked
from tests.kit.server import settings_for_tests
from tests.kit.services import execute, run_async

_CHECKOUT = Path(__file__).parents[3]
LONG_AGO = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


@pytest.fixture
def database(database_url: str) -> str:
    run_async(
        execute(
            database_url,
            "TRUNCATE facts, fact_checkpoints, fact_leases, fact_consumers, parked_facts",
            "INSERT INTO fact_consumers SELECT name, '{post.created}' FROM unnest('{one,two}'::text[]) AS name",
            "INSERT INTO fact_checkpoints"
            " SELECT consumer, lane, change_stamp(), 0, 0, 0 FROM fact_consumers, generate_series(0, 7) AS lane",
            "INSERT INTO fact_leases SELECT consumer, lane FROM fact_checkpoints",
            "INSERT INTO facts (lane, name, payload) SELECT n % 8, 'post.created', '{}' FROM generate_series(1, 30) n",
            "UPDATE fact_checkpoints SET position = 1 WHERE consumer = 'two'",
            "INSERT INTO parked_facts (consumer, fact_id, name, payload, error)"
            " SELECT consumer, n, 'post.created', '{}', 'boom' FROM fact_consumers, generate_series(1, 105) n",
        )
    )
    return database_url


def test_what_waits_is_parked_rewound_and_forgotten_is_told(database: str, capsys: pytest.CaptureFixture[str]) -> None:
    settings = settings_for_tests(database, "redis://127.0.0.1:1")

    def told(command: Callable[[], None]) -> tuple[list[str], str]:
        """The lines for standard output, and the text for standard error."""
        command()
        out, err = capsys.readouterr()
        return out.splitlines(), err

    one, two = told(lambda: show_lags(settings))[0]
    assert one.split()[:3] == ["one", "30", "waiting"]
    assert two.split()[:3] == ["two", "30", "waiting"]
    assert "105 parked" in one

    parked, _ = told(lambda: show_parked(settings))
    assert len(parked) == 210
    assert sum("one post.created {}: boom" in line for line in parked) == 105
    assert "210 parked facts are tried again" in told(lambda: replay(settings))[1]
    assert "0 parked facts are tried again" in told(lambda: replay(settings))[1]

    run_async(execute(database, "UPDATE fact_checkpoints SET position = change_stamp()"))
    assert [line.split()[1] for line in told(lambda: show_lags(settings))[0]] == ["0", "0"]
    assert "8 lanes of two moved back" in told(lambda: rewind(settings, "two", to=LONG_AGO))[1]
    assert [line.split()[1] for line in told(lambda: show_lags(settings))[0]] == ["0", "30"]

    run_async(execute(database, "UPDATE fact_leases SET worker = 'w', leased_until = now() + interval '1 hour'"))
    with pytest.raises(CliError, match="workers read the lanes of two"):
        told(lambda: forget(settings, "two"))
    run_async(execute(database, "UPDATE fact_leases SET worker = NULL, leased_until = NULL"))
    assert "two is forgotten" in told(lambda: forget(settings, "two"))[1]
    assert len(told(lambda: show_lags(settings))[0]) == 1


def test_an_unknown_consumer_is_told_in_one_line_with_those_there_are(database: str) -> None:
    failed = subprocess.run(
        [sys.executable, "-m", "server", "facts", "rewind", "three", "--to", "2026-01-01"],
        env={**os.environ, "DATABASE_URL": database},
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert failed.returncode == 1
    assert failed.stderr == "rookery: there is no consumer three; there are: one, two\n"

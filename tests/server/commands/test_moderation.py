"""Deciding about accounts and posts at the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from server.cli_error import CliError
from server.commands.moderation import ban, delete_post, delete_user, set_role, unban
from tests.kit.server import settings_for_tests
from tests.kit.services import execute, run_async

_CHECKOUT = Path(__file__).parents[3]


@pytest.fixture
def database(database_url: str) -> str:
    run_async(
        execute(
            database_url,
            "TRUNCATE users, audit CASCADE",
            "INSERT INTO users (id, username, username_folded, phone, password_hash)"
            " VALUES (7, 'Ada', 'ada', '+1', '')",
            "UPDATE users SET post_count = 1, followers_post_count = 1, public_post_count = 1",
            "INSERT INTO posts (id, author_id, text) VALUES (8, 7, 'Hello')",
        )
    )
    return database_url


async def _state(database_url: str) -> tuple[object, ...]:
    connection = await asyncpg.connect(database_url)
    try:
        row = await connection.fetchrow(
            "SELECT role, suspended_at IS NOT NULL, deletion_asked_at IS NOT NULL, post_count,"
            " ARRAY(SELECT act FROM audit ORDER BY id), ARRAY(SELECT DISTINCT reason FROM audit) FROM users"
        )
    finally:
        await connection.close()
    assert row is not None
    return tuple(row)


def test_each_verb_does_and_notes_what_it_says(
    database: str, redis_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_for_tests(database, redis_url)
    set_role(settings, "ADA", "moderator", reason="helps")
    ban(settings, "ada", reason="helps")
    assert run_async(_state(database)) == ("moderator", True, False, 1, ["role", "ban"], ["helps"])
    unban(settings, "ada", reason="helps")
    delete_post(settings, "8", reason="helps")
    delete_user(settings, "ada", reason="helps")
    acts = ["role", "ban", "unban", "delete_post", "delete_user"]
    assert run_async(_state(database)) == ("moderator", False, True, 0, acts, ["helps"])
    told = capsys.readouterr().err
    for part in ("ADA has the role moderator", "is suspended", "is not suspended", "post 8 is deleted", "is deleted;"):
        assert part in told
    with pytest.raises(CliError, match="there is no role king; there are: user, moderator, admin"):
        set_role(settings, "ada", "king", reason="")
    with pytest.raises(CliError, match="nothing is no id of a post"):
        delete_post(settings, "nothing", reason="")


def test_an_unknown_name_is_told_in_one_line(database: str, redis_url: str) -> None:
    failed = subprocess.run(
        [sys.executable, "-m", "server", "user", "ban", "nobody", "--reason", "spam"],
        env={**os.environ, "DATABASE_URL": database, "REDIS_URL": redis_url},
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
    )
    assert failed.returncode == 1
    assert failed.stderr == "rookery: There is no user nobody.\n"

"""Deciding about accounts and posts at the command line."""

from __future__ import annotations

import asyncpg
import pytest

from server.cli_error import CliError
from server.commands.moderation import ban, delete_post, delete_user, set_role, show_acts, unban
from tests.kit.server import settings_for_tests
from tests.kit.services import execute, run_async


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
    show_acts(settings, "ada")
    listed = [line.partition(" operator: ")[2] for line in capsys.readouterr().out.splitlines()]
    assert listed == [f"{act} helps" for act in ("delete_user", "delete_post 8", "unban", "ban", "role moderator")]
    for part in ("ADA has the role moderator", "is suspended", "is not suspended", "post 8 is deleted", "is deleted;"):
        assert part in told
    with pytest.raises(CliError, match="there is no role king; there are: user, moderator, admin"):
        set_role(settings, "ada", "king", reason="")
    for act in (ban, unban, delete_user):
        with pytest.raises(CliError, match="There is no user nobody"):
            act(settings, "nobody", reason="")
    with pytest.raises(CliError, match="There is no post 8"):
        delete_post(settings, "8", reason="")
    with pytest.raises(CliError, match="nothing is no id of a post"):
        delete_post(settings, "nothing", reason="")

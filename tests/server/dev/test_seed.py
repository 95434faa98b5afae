"""A seeded database, as SQL and a real server show it."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
import pytest_asyncio

from server.cli_error import CliError
from server.config import Settings
from server.dev.seed import seed, seed_if_empty
from tests.contract.world import fingerprint
from tests.kit.server import running_server, settings_for_tests
from tests.kit.services import execute

EMPTY = "TRUNCATE users, posts, conversations CASCADE"
COUNTERS = {
    "likes": "SELECT count(*) FROM posts p"
    " WHERE like_count <> (SELECT count(*) FROM post_likes l WHERE l.post_id = p.id)",
    "comments": "SELECT count(*) FROM posts p"
    " WHERE comment_count <> (SELECT count(*) FROM comments c WHERE c.post_id = p.id)",
    "followers": "SELECT count(*) FROM users u"
    " WHERE follower_count <> (SELECT count(*) FROM follows f WHERE f.followed_id = u.id)",
    "following": "SELECT count(*) FROM users u"
    " WHERE following_count <> (SELECT count(*) FROM follows f WHERE f.follower_id = u.id)",
    "posts": "SELECT count(*) FROM users u WHERE post_count <> (SELECT count(*) FROM posts p WHERE p.author_id = u.id)",
    "posts that strangers see": "SELECT count(*) FROM users WHERE (post_count, post_count)"
    " <> (public_post_count, followers_post_count)",
    "broadcasters": "SELECT count(*) FROM users WHERE is_broadcaster <> (follower_count >= 30)",
    "messages": "SELECT count(*) FROM conversations c"
    " WHERE last_seq <> (SELECT max(seq) FROM messages m WHERE m.conversation_id = c.id)",
}


@pytest_asyncio.fixture
async def settings(database_url: str, redis_url: str) -> AsyncIterator[Settings]:
    """An empty database, and broadcasters from 30 followers on."""
    await execute(database_url, EMPTY)
    yield settings_for_tests(database_url, redis_url, feed_fanout_max_followers=30)


async def value(settings: Settings, sql: str) -> Any:
    connection = await asyncpg.connect(settings.database_url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


def quiet(line: str) -> None:
    """Ignores progress."""


async def test_counters_are_what_the_rows_say(settings: Settings) -> None:
    told: list[str] = []
    await seed(settings, people=60, posts=300, graph=None, tokens=None, report=told.append)
    assert {name: await value(settings, sql) for name, sql in COUNTERS.items()} == dict.fromkeys(COUNTERS, 0)
    assert await value(settings, "SELECT count(*) FROM users") == 60
    assert await value(settings, "SELECT count(*) FROM posts") == 300
    assert await value(settings, "SELECT bool_or(is_broadcaster) FROM users")
    assert "wrote 300 posts" in told


async def test_the_friends_of_a_graph_follow_each_other(settings: Settings, tmp_path: Path) -> None:
    graph, tokens = tmp_path / "graph.txt", tmp_path / "tokens.jsonl"
    graph.write_text("1 2\n2 3\n3 4\n")
    await seed(settings, people=999, posts=10, graph=graph, tokens=tokens, report=quiet)
    lines = [orjson.loads(line) for line in tokens.read_bytes().splitlines()]
    async with running_server(settings) as server:
        followers = []
        for line in lines:
            lists = []
            for kind in ("followers", "following"):
                path = f"/users/{line['user_id']}/{kind}"
                _, answer = await server.rest("GET", path, token=line["access_token"])
                lists.append({item["username"] for item in answer["data"]["items"]})
            assert lists[0] == lists[1]
            followers.append(lists[0])
    one, two, three, four = (line["username"] for line in lines)
    assert followers == [{two}, {one, three}, {two, four}, {three}], "in the order of the graph"


async def test_the_tokens_are_valid_on_a_server_and_only_their_owner_may_read_them(
    settings: Settings, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.jsonl"
    await seed(settings, people=5, posts=0, graph=None, tokens=tokens, report=quiet)
    assert stat.S_IMODE(tokens.stat().st_mode) == 0o600
    lines = [orjson.loads(line) for line in tokens.read_bytes().splitlines()]
    assert len({line["user_id"] for line in lines}) == 5
    async with running_server(settings) as server:
        for line in lines:
            status, answer = await server.rest("GET", "/users/me", token=line["access_token"])
            assert (status, answer["data"]["user"]["id"]) == (200, line["user_id"])
            assert answer["data"]["user"]["username"] == line["username"]
        status, answer = await server.rest("POST", "/auth/refresh", {"refresh_token": lines[0]["refresh_token"]})
        assert (status, answer["data"]["user"]["id"]) == (200, lines[0]["user_id"])


async def test_a_seeded_database_may_be_seeded_again(settings: Settings) -> None:
    for _ in range(2):
        await seed(settings, people=20, posts=20, graph=None, tokens=None, report=quiet)
    assert await value(settings, "SELECT count(*) FROM users") == 40
    assert await value(settings, "SELECT count(*) FROM users WHERE username = 'demo'") == 1
    assert {name: await value(settings, sql) for name, sql in COUNTERS.items()} == dict.fromkeys(COUNTERS, 0)


@pytest.mark.parametrize("fault", ["graph", "tokens"])
async def test_bad_arguments_are_reported_before_anything_is_stored(
    settings: Settings, tmp_path: Path, fault: str
) -> None:
    graph, tokens = tmp_path / "graph.txt", tmp_path / "tokens.jsonl"
    graph.write_text("1 2\n" if fault == "tokens" else "1 2\noops\n")
    if fault == "tokens":
        tokens = tmp_path / "no such folder" / "tokens.jsonl"
    with pytest.raises(CliError) as failed:
        await seed(settings, people=5, posts=5, graph=graph, tokens=tokens, report=quiet)
    assert str(graph if fault == "graph" else tokens) in str(failed.value)
    assert await value(settings, "SELECT count(*) FROM users") == 0


async def test_an_empty_database_gets_the_demo_network_once(settings: Settings) -> None:
    login = await seed_if_empty(settings, report=quiet)
    assert login is not None
    before = await fingerprint(settings.database_url)
    assert await seed_if_empty(settings, report=quiet) == login
    assert await fingerprint(settings.database_url) == before
    async with running_server(settings) as server:
        payload = {"login": login.username, "password": login.password}
        status, answer = await server.rest("POST", "/auth/login", payload)
        assert status == 200
        _, feed = await server.rest("GET", "/feed", token=answer["data"]["access_token"])
        assert len(feed["data"]["items"]) == 20, "a newcomer sees life at once"
        _, talks = await server.rest("GET", "/conversations", token=answer["data"]["access_token"])
        assert talks["data"]["items"]


async def test_existing_users_are_left_alone(settings: Settings) -> None:
    await seed(settings, people=3, posts=0, graph=None, tokens=None, report=quiet)
    await execute(
        settings.database_url,
        "UPDATE users SET (username, username_folded) = ('somebody', 'somebody') WHERE username = 'demo'",
    )
    before = await fingerprint(settings.database_url)
    assert await seed_if_empty(settings, report=quiet) is None
    assert await fingerprint(settings.database_url) == before

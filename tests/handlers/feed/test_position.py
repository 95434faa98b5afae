"""Positions of the feed: who may use them, and how long."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from handlers.cursor import MAX_AGE_MS, read_cursor, write_cursor
from server.accounts.sealed_cursors import SealedCursors
from server.accounts.secrets_file import signing_keys
from sql.ids import UserId
from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer

DAY_MS = 86_400_000


async def sync(person: Person, position: object) -> dict[str, Any]:
    answer: dict[str, Any] = await person.call("/feed", "feed:sync", {"after": position})
    return answer


async def test_only_its_reader_can_use_a_position_and_nobody_can_make_one(server: RunningServer) -> None:
    reader, other = await server.people("sealed.reader", "sealed.other")
    position = (await reader.do("/feed", "feed:subscribe"))["position"]
    assert (await sync(reader, position))["ok"]
    for person, text in ((other, position), (reader, position[:-2]), (reader, ""), (reader, "1kq0x3c7y"), (reader, 5)):
        answer = await sync(person, text)
        assert answer["error"]["code"] == "invalid_payload", text
        assert list(answer["error"]["fields"]) == ["after"]


async def test_positions_of_the_feed_and_of_a_pull_are_of_one_kind(server: RunningServer) -> None:
    reader, author = await server.people("kind.reader", "kind.author")
    await reader.do("/users", "user:follow", {"user_id": author.id})
    cursor = await settled_cursor(reader, "feed")
    posted = (await author.do("/posts", "post:create", {"text": "News"}))["post"]["id"]
    synced = (await sync(reader, cursor))["data"]
    again = await reader.do("/users", "sync:pull", {"cursor": cursor})
    for answer in (synced["items"], again["changes"]["feed"]["upserts"]):
        assert [item["id"] for item in answer] == [posted]
    await author.do("/posts", "post:delete", {"post_id": posted})
    last = await reader.do("/users", "sync:pull", {"cursor": synced["position"]})
    assert last["changes"] == {"feed": {"upserts": [], "removed": [posted]}}


@pytest.mark.parametrize(("age_ms", "is_reset"), [(MAX_AGE_MS - DAY_MS, False), (MAX_AGE_MS + DAY_MS, True)])
async def test_a_position_that_is_too_old_is_a_reset(server: RunningServer, age_ms: int, is_reset: bool) -> None:
    reader = await server.person(f"aged.{is_reset}")
    seal = SealedCursors(signing_keys(server.settings.token_secrets, server.settings.data_dir))
    user_id = UserId(int(reader.id))
    made = read_cursor((await reader.do("/feed", "feed:subscribe"))["position"], user_id, seal)
    assert made is not None
    aged = {name: one._replace(read_at_ms=one.read_at_ms - age_ms) for name, one in made.items()}
    answer = (await sync(reader, write_cursor(aged, user_id, seal)))["data"]
    assert answer.get("reset", False) is is_reset
    fresh = (await sync(reader, answer["position"]))["data"]
    assert "reset" not in fresh


async def test_a_position_of_before_a_restore_is_a_reset(server: RunningServer, database_url: str) -> None:
    reader = await server.person("restored.reader")
    position = (await reader.do("/users", "sync:pull", {"collections": ["feed"]}))["cursor"]
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE epochs SET history = random_history()")
    await connection.close()
    answer = (await sync(reader, position))["data"]
    assert (answer["items"], answer["removed"], answer["reset"]) == ([], [], True)
    assert "reset" not in (await sync(reader, answer["position"]))["data"]

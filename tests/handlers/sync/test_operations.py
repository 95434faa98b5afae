"""`sync:pull` through sockets and REST: cursors, who may use them, and a Collection that changes."""

from __future__ import annotations

from typing import Any

import asyncpg
import pytest

from handlers.cursor import MAX_AGE_MS, Progress, UnfinishedRead, read_cursor, write_cursor
from realtime.contract.errors import CommandError
from server.accounts.sealed_cursors import SealedCursors
from server.accounts.secrets_file import SigningKey, signing_keys
from sql.ids import UserId
from tests.kit.positions import settled_cursor, until_nothing_is_new
from tests.kit.server import NAMESPACES, Person, RunningServer

DAY_MS = 86_400_000


async def pull(person: Person, cursor: str | None = None, **more: object) -> dict[str, Any]:
    payload = {**({} if cursor is None else {"cursor": cursor}), "collections": ["me"], **more}
    answer: dict[str, Any] = await person.do("/users", "sync:pull", payload)
    return answer


def names(answer: dict[str, Any]) -> list[str]:
    return [item["user"]["display_name"] for item in answer["changes"].get("me", {"upserts": []})["upserts"]]


async def test_changes_come_once_they_are_there_and_nothing_comes_without_one(server: RunningServer) -> None:
    ada = await server.person("pull_ada")
    first = await pull(ada)
    assert names(first) == ["pull_ada"]
    assert first["more"] is False
    idle = await pull(ada, first["cursor"])
    await ada.do("/users", "user:update", {"display_name": "Ada"})
    changed = await pull(ada, idle["cursor"])
    assert names(changed) == ["Ada"]
    await until_nothing_is_new(ada, changed["cursor"])


async def test_what_only_the_user_sees_is_a_change_too_and_a_counter_is_none(server: RunningServer) -> None:
    ada, bea = await server.people("stamp_ada", "stamp_bea")
    cursor = await settled_cursor(ada, "me")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    await ada.do("/users", "user:update", {"display_name": "stamp_ada"})  # what it is already
    await ada.do("/posts", "post:create", {"text": "One more"})
    counted = await pull(ada, cursor)
    assert counted["changes"] == {}
    await ada.do("/users", "user:update", {"settings": {"theme": "dark"}})
    changed = await pull(ada, counted["cursor"])
    (me,) = changed["changes"]["me"]["upserts"]
    assert (me["settings"], me["user"]["follower_count"]) == ({"theme": "dark"}, 1)


async def test_a_version_is_raised_by_every_change_of_profile_and_settings(server: RunningServer) -> None:
    ada = await server.person("version_ada")
    versions = []
    for change in ({}, {"settings": {"a": 1}}, {"bio": "Analyst"}, {"bio": "Analyst"}, {"display_name": "Ada"}):
        await ada.do("/users", "user:update", change)
        versions.append((await ada.do("/users", "user:me"))["user"]["version"])
    assert versions == [1, 2, 3, 3, 4]


async def test_other_devices_are_told_of_changes_and_of_nothing_else(server: RunningServer) -> None:
    ada = await server.person("told_ada")
    other = await ada.device(namespaces=["/users"])
    await ada.do("/users", "user:update", {"bio": "Analyst"})
    told = await other.expect_push("collection:changed")
    assert (told["name"], told["removed"]) == ("me", [])
    (pulled,) = (await pull(ada))["changes"]["me"]["upserts"]
    assert told["upserts"] == [pulled]
    await ada.do("/users", "user:update", {"bio": "Analyst"})
    await other.expect_silence("collection:changed")


async def test_every_namespace_and_rest_answer_the_same(server: RunningServer) -> None:
    ada = await server.person("where_ada")
    device = await ada.device(namespaces=NAMESPACES)
    answers = [await device.do(namespace, "sync:pull", {"collections": ["me"]}) for namespace in NAMESPACES]
    status, body = await ada.rest("POST", "/sync", {"collections": ["me"]})
    assert status == 200
    answers.append(body["data"])
    assert [answer["changes"] for answer in answers] == [answers[0]["changes"]] * len(answers)
    await until_nothing_is_new(ada, answers[-1]["cursor"])


async def test_a_cursor_of_somebody_else_and_one_that_was_changed_are_refused(server: RunningServer) -> None:
    ada, bea = await server.people("seal_ada", "seal_bea")
    cursor = (await pull(ada))["cursor"]
    middle = len(cursor) // 2
    changed = cursor[:middle] + ("A" if cursor[middle] != "A" else "B") + cursor[middle + 1 :]
    for person, text in ((bea, cursor), (ada, changed), (ada, "x"), (ada, "ä" * 40), (ada, "=")):
        answer = await person.call("/users", "sync:pull", {"cursor": text})
        assert answer["error"]["code"] == "invalid_payload", text
        assert list(answer["error"]["fields"]) == ["cursor"]


async def test_a_collection_with_nothing_new_is_not_named(server: RunningServer) -> None:
    """That `me` is behind makes one look at `relations` too, which the client has already."""
    ada, bea = await server.people("named_ada", "named_bea")
    cursor = await settled_cursor(ada, "me", "relations")
    await ada.do("/users", "user:follow", {"user_id": bea.id})
    told = await ada.do("/users", "sync:pull", {"cursor": cursor, "collections": ["relations"]})
    assert list(told["changes"]) == ["relations"]
    await until_nothing_is_new(ada, told["cursor"], "relations")


async def test_unknown_collections_are_refused(server: RunningServer) -> None:
    ada = await server.person("names_ada")
    for collections in (["me", "nothing"], []):
        answer = await ada.call("/users", "sync:pull", {"collections": collections})
        assert answer["error"]["code"] == "invalid_payload"


async def test_after_a_restored_dump_everything_is_reset(server: RunningServer, database_url: str) -> None:
    """Another restore of the same dump may have the same epoch: that it is another history makes the difference."""
    ada = await server.person("epoch_ada")
    cursor = (await pull(ada))["cursor"]
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE epochs SET history = random_history()")
    await connection.close()
    reset = await pull(ada, cursor)
    assert reset["changes"] == {"me": {"upserts": [], "removed": [], "reset": True}}
    assert (await pull(ada, reset["cursor"]))["changes"] == {}


async def test_a_cursor_that_is_too_old_is_reset(server: RunningServer) -> None:
    ada = await server.person("old_ada")
    seal = SealedCursors(signing_keys(server.settings.token_secrets, server.settings.data_dir))
    made = read_cursor((await pull(ada))["cursor"], UserId(int(ada.id)), seal)
    assert made is not None
    for age_ms, is_reset in ((MAX_AGE_MS - DAY_MS, False), (MAX_AGE_MS + DAY_MS, True)):
        aged = {name: one._replace(read_at_ms=one.read_at_ms - age_ms) for name, one in made.items()}
        answer = await pull(ada, write_cursor(aged, UserId(int(ada.id)), seal))
        assert bool(answer["changes"].get("me", {}).get("reset")) is is_reset


def test_a_cursor_carries_unfinished_reads_and_the_version_of_its_form() -> None:
    seal = SealedCursors([SigningKey("a", b"secret")])
    progress = {
        "one": Progress(2**60, 2**62, 5),
        "two": Progress(7, 1, 6, UnfinishedRead(None, ["x", 3])),
        "three": Progress(8, 1, 6, UnfinishedRead(4, 0)),
    }
    text = write_cursor(progress, UserId(9), seal)
    assert read_cursor(text, UserId(9), seal) == progress
    with pytest.raises(CommandError):
        read_cursor(text, UserId(8), seal)
    assert read_cursor(seal.seal(b"[0,9,{}]"), UserId(9), seal) is None

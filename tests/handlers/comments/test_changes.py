"""Edits and likes of comments, by people on two nodes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest_asyncio

from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer, running_server

POSTS = "/posts"


@pytest_asyncio.fixture
async def other_node(server: RunningServer) -> AsyncIterator[RunningServer]:
    async with running_server(server.settings, work=False) as running:
        yield running


async def commented(author: Person, commenter: Person) -> tuple[dict[str, str], dict[str, Any]]:
    """A post, and a comment on it."""
    posted = await author.do(POSTS, "post:create", {"text": "Good morning"})
    post = {"post_id": posted["post"]["id"]}
    made = await commenter.do(POSTS, "comment:create", {**post, "text": "Wel said"})
    comment: dict[str, Any] = made["comment"]
    return post, comment


async def seen_by(reader: Person, post: dict[str, str]) -> dict[str, Any]:
    (comment,) = (await reader.do(POSTS, "comment:list", post))["items"]
    found: dict[str, Any] = comment
    return found


async def test_watchers_on_all_nodes_hear_an_edit_unless_a_block_hides_it(
    server: RunningServer, other_node: RunningServer
) -> None:
    ada, bea, cleo = await server.people("edit_ada", "edit_bea", "edit_cleo")
    post, made = await commented(ada, bea)
    await bea.do("/users", "user:block", {"user_id": cleo.id})
    by_ada, by_cleo = [await other_node.device(person.access_token) for person in (ada, cleo)]
    for device in (by_ada, by_cleo):
        await device.do(POSTS, "post:watch", post)

    edit = {"comment_id": made["id"], "text": "Well said"}
    edited = (await bea.do(POSTS, "comment:update", edit))["comment"]
    assert edited == {**made, "text": "Well said", "version": 2, "edited_at_ms": edited["edited_at_ms"]}
    assert edited["edited_at_ms"] >= made["created_at_ms"]
    told = (await by_ada.expect_push("comment:updated"))["comment"]
    assert told == {field: value for field, value in edited.items() if field != "viewer"}
    assert (await bea.do(POSTS, "comment:update", edit))["comment"] == edited, "a repeated call changes nothing"
    assert await seen_by(ada, post) == edited

    await bea.do(POSTS, "comment:delete", {"comment_id": made["id"]})
    await by_ada.expect_push("comment:deleted")
    await ada.do(POSTS, "post:delete", post)
    await by_cleo.expect_push("post:deleted")
    assert [push.name for push in by_ada.heard if push.name == "comment:updated"] == ["comment:updated"]
    assert not [push.name for push in by_cleo.heard if push.name.startswith("comment:")]


async def test_only_its_author_edits_a_comment_and_nobody_a_deleted_one(server: RunningServer) -> None:
    ada, bea = await server.people("own_ada", "own_bea")
    post, made = await commented(ada, bea)
    edit = {"comment_id": made["id"], "text": "Not said"}
    assert (await ada.call(POSTS, "comment:update", edit))["error"]["code"] == "forbidden"
    await ada.do(POSTS, "comment:create", {**post, "text": "A reply", "parent_id": made["id"]})
    await bea.do(POSTS, "comment:delete", {"comment_id": made["id"]})
    for name in ("comment:update", "comment:like"):
        payload = edit if name == "comment:update" else {"comment_id": made["id"]}
        assert (await bea.call(POSTS, name, payload))["error"]["code"] == "not_found"
    stone = await seen_by(ada, post)
    assert (stone["text"], stone["deleted"], stone["version"]) == ("", True, 2), "newer than what was told of it before"


async def test_a_comment_is_liked_once_by_each(server: RunningServer, other_node: RunningServer) -> None:
    ada, bea = await server.people("like_ada", "like_bea")
    post, made = await commented(ada, bea)
    named = {"comment_id": made["id"]}
    assert made["viewer"] == {"liked": False}
    elsewhere = await other_node.device(ada.access_token)
    await asyncio.gather(*[device.do(POSTS, "comment:like", named) for device in (elsewhere, ada) for _ in range(5)])
    assert await bea.do(POSTS, "comment:like", named) == {**named, "liked": True, "like_count": 2}
    seen = await seen_by(ada, post)
    assert (seen["like_count"], seen["viewer"], seen["version"]) == (2, {"liked": True}, 1)

    assert await ada.do(POSTS, "comment:unlike", named) == {**named, "liked": False, "like_count": 1}
    assert await ada.do(POSTS, "comment:unlike", named) == {**named, "liked": False, "like_count": 1}
    seen = await seen_by(ada, post)
    assert (seen["like_count"], seen["viewer"]) == (1, {"liked": False})


async def test_counts_are_exact_when_many_like_and_unlike_at_once(server: RunningServer, database_url: str) -> None:
    ada, *crowd = await server.people("sum_ada", *[f"sum_{number}" for number in range(5)])
    _, made = await commented(ada, ada)
    named = {"comment_id": made["id"]}
    for person in crowd:
        await person.main_device()

    async def like(person: Person, number: int) -> None:
        await asyncio.gather(*[person.do(POSTS, "comment:like", named) for _ in range(4)])
        if number % 2:
            await asyncio.gather(*[person.do(POSTS, "comment:unlike", named) for _ in range(3)])

    await asyncio.gather(*[like(person, number) for number, person in enumerate(crowd)])
    connection = await asyncpg.connect(database_url)
    try:
        stored = await connection.fetchval("SELECT count(*) FROM comment_likes WHERE comment_id = $1", int(made["id"]))
        counted = await connection.fetchval("SELECT like_count FROM comments WHERE id = $1", int(made["id"]))
    finally:
        await connection.close()
    assert stored == counted == 3


async def test_an_edit_is_not_told_to_whom_a_filter_hides_its_words(
    server: RunningServer, other_node: RunningServer
) -> None:
    ada, bea = await server.people("word_ada", "word_bea")
    post, made = await commented(ada, bea)
    by_ada, by_bea = [await other_node.device(person.access_token) for person in (ada, bea)]
    for device in (by_ada, by_bea):
        await device.do(POSTS, "post:watch", post)
    await ada.do("/users", "filter:set", {"phrase": "spoiler"})
    await settled_cursor(ada, "feed")  # until then a push may be withheld, and a resync told in its place
    for text in ("A spoiler", "Nothing"):
        await bea.do(POSTS, "comment:update", {"comment_id": made["id"], "text": text})
        assert (await by_bea.expect_push("comment:updated"))["comment"]["text"] == text
    assert (await by_ada.expect_push("comment:updated"))["comment"]["text"] == "Nothing"

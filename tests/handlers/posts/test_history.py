"""The earlier texts of posts."""

import pytest

from tests.handlers.posts.test_operations import publish, refusal, value
from tests.kit.server import Person, RunningServer


async def history(reader: Person, post_id: str) -> list[tuple[int, str]]:
    listed = await reader.do("/posts", "post:history", {"post_id": post_id})
    return [(version["version"], version["text"]) for version in listed["items"]]


async def edit(author: Person, post_id: str, **change: object) -> None:
    await author.do("/posts", "post:update", {"post_id": post_id, **change})


async def test_a_reader_sees_the_earlier_texts_and_when_they_were_written(server: RunningServer) -> None:
    ada, bea = await server.people("past_ada", "past_bea")
    post = await publish(ada, "one")
    assert await history(bea, post["id"]) == []
    for change in ({"text": "two"}, {"sensitive": True}, {"text": "two"}, {"text": "three"}):
        await edit(ada, post["id"], **change)
    assert await history(bea, post["id"]) == [(3, "two"), (1, "one")]
    (two,) = (await bea.do("/posts", "post:history", {"post_id": post["id"], "limit": 1}))["items"]
    page = {"post_id": post["id"], "before": "3"}
    (one,) = (await bea.do("/posts", "post:history", page))["items"]
    assert one["written_at_ms"] == post["created_at_ms"]
    present = (await bea.do("/posts", "post:get", {"post_id": post["id"]}))["post"]
    assert post["created_at_ms"] < two["written_at_ms"] < present["edited_at_ms"]


async def test_a_text_that_nobody_else_could_see_is_not_kept(server: RunningServer) -> None:
    ada, bea = await server.people("draft_ada", "draft_bea")
    post = await publish(ada, "a draft", visibility="private")
    await edit(ada, post["id"], text="ready", visibility="public")
    await edit(ada, post["id"], text="better")
    assert await history(bea, post["id"]) == [(2, "ready")]
    assert await history(ada, post["id"]) == [(2, "ready")]


@pytest.mark.parametrize("way", ["private", "deleted", "blocked"])
async def test_who_does_not_see_the_post_sees_no_earlier_text(
    server: RunningServer, database_url: str, way: str
) -> None:
    ada, bea = await server.people(f"{way}_ada", f"{way}_bea")
    post = await publish(ada, "one")
    await edit(ada, post["id"], text="two")
    if way == "private":
        await edit(ada, post["id"], visibility="private")
    elif way == "blocked":
        await ada.do("/users", "user:block", {"user_id": bea.id})
    else:
        await ada.do("/posts", "post:delete", {"post_id": post["id"]})
        kept = await value(database_url, "SELECT count(*) FROM post_versions WHERE post_id = $1", int(post["id"]))
        assert kept == 0
    assert await refusal(bea, "post:history", {"post_id": post["id"]}) == "not_found"

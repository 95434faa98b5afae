"""Posts that nobody but their authors see for a time."""

import asyncpg
import pytest

from tests.handlers.posts.test_operations import publish, read, refusal
from tests.kit.server import Person, RunningServer


async def hide(author: Person, post_id: str, hidden: bool = True) -> dict[str, object]:
    answer = await author.do("/posts", "post:hide", {"post_id": post_id, "hidden": hidden})
    post: dict[str, object] = answer["post"]
    return post


async def sees(reader: Person, author: Person, post_id: str) -> bool:
    """By each read that could show it, which agree."""
    told = {(await reader.call("/posts", name, {"post_id": post_id}))["ok"] for name in ("post:get", "post:history")}
    listed = (await reader.do("/posts", "post:list", {"user_id": author.id}))["items"]
    fed = (await reader.do("/feed", "feed:page"))["items"]
    told |= {any(post["id"] == post_id for post in posts) for posts in (listed, fed)}
    count = (await reader.do("/users", "user:get", {"user_id": author.id}))["user"]["post_count"]
    assert len(told | {count == 1}) == 1
    return bool(count)


@pytest.mark.parametrize("visibility", ["public", "followers"])
async def test_a_hidden_post_is_seen_by_its_author_until_it_is_shown_again(
    server: RunningServer, visibility: str
) -> None:
    ada, bea = await server.people(f"hide_ada_{visibility}", f"hide_bea_{visibility}")
    await bea.do("/users", "user:follow", {"user_id": ada.id})
    post = await publish(ada, visibility=visibility)
    assert await sees(bea, ada, post["id"])
    hidden = await hide(ada, post["id"])
    assert (hidden["hidden_by"], hidden["visibility"], hidden["version"]) == ("author", visibility, 2)
    assert await hide(ada, post["id"]) == hidden
    assert await read(ada, post) == hidden
    assert not await sees(bea, ada, post["id"])
    shown = await hide(ada, post["id"], hidden=False)
    assert (shown["visibility"], shown["version"]) == (visibility, 3)
    assert "hidden_by" not in shown
    assert await sees(bea, ada, post["id"])


async def test_a_hidden_post_that_is_edited_stays_hidden(server: RunningServer) -> None:
    ada, bea = await server.people("kept_ada", "kept_bea")
    post = await publish(ada, visibility="private")
    await hide(ada, post["id"])
    changed = await ada.do("/posts", "post:update", {"post_id": post["id"], "visibility": "public", "text": "Ready"})
    assert (changed["post"]["visibility"], changed["post"]["hidden_by"]) == ("public", "author")
    assert await refusal(bea, "post:get", {"post_id": post["id"]}) == "not_found"
    await hide(ada, post["id"], hidden=False)
    assert (await read(bea, post))["text"] == "Ready"


async def test_watchers_of_a_post_that_is_hidden_hear_nothing_more(server: RunningServer) -> None:
    ada, bea = await server.people("rooms_ada", "rooms_bea")
    post = await publish(ada)
    device = await server.device(bea.access_token)
    await device.do("/posts", "post:watch", {"post_id": post["id"]})
    await hide(ada, post["id"])
    assert await device.expect_push("resync") == {"scope": f"post:{post['id']}"}
    await ada.do("/posts", "comment:create", {"post_id": post["id"], "text": "To myself"})
    await device.expect_silence("comment:created")


async def test_what_a_moderator_has_hidden_its_author_cannot_show(server: RunningServer, database_url: str) -> None:
    ada = await server.person("moderated_ada")
    post = await publish(ada)
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            "UPDATE posts SET hidden_by = 'moderator', visibility_if_shown = visibility, visibility = 'private'"
            " WHERE id = $1",
            int(post["id"]),
        )
        await connection.execute(
            "UPDATE users SET followers_post_count = 0, public_post_count = 0 WHERE id = $1", int(ada.id)
        )
    finally:
        await connection.close()
    assert await refusal(ada, "post:hide", {"post_id": post["id"], "hidden": False}) == "forbidden"
    await hide(ada, post["id"])
    assert await refusal(ada, "post:hide", {"post_id": post["id"], "hidden": False}) == "forbidden"


async def test_a_retry_of_a_post_that_is_hidden_finds_it(server: RunningServer) -> None:
    ada = await server.person("hidden_retry")
    post = await publish(ada, "Once", client_id="once")
    await hide(ada, post["id"])
    assert (await publish(ada, "Once", client_id="once"))["hidden_by"] == "author"
    again = {"text": "Once", "client_id": "once", "visibility": "private"}
    assert await refusal(ada, "post:create", again) == "conflict"

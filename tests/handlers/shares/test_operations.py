"""Shares and quotes: what readers see of them, while the shared post changes, hides and goes."""

from __future__ import annotations

from typing import Any

from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer


async def publish(author: Person, text: str = "original", visibility: str = "public") -> str:
    made = await author.do("/posts", "post:create", {"text": text, "visibility": visibility})
    post_id: str = made["post"]["id"]
    return post_id


async def share(person: Person, post_id: str, **more: str) -> dict[str, Any]:
    post: dict[str, Any] = (await person.do("/posts", "post:share", {"post_id": post_id, **more}))["post"]
    return post


async def read(reader: Person, post_id: str) -> dict[str, Any]:
    post: dict[str, Any] = (await reader.do("/posts", "post:get", {"post_id": post_id}))["post"]
    return post


async def shown(reader: Person, post: dict[str, Any]) -> str | None:
    """The text of the shared post as a read, a feed page, a list and a first screen tell it alike."""
    one = await read(reader, post["id"])
    page = await reader.do("/feed", "feed:page")
    listed = await reader.do("/posts", "post:list", {"user_id": post["author"]["id"]})
    pulled = (await reader.do("/feed", "sync:pull", {"collections": ["feed"]}))["changes"]["feed"]["upserts"]
    for items in (page["items"], listed["items"], pulled):
        assert [item for item in items if item["id"] == post["id"]] == [one]
    return one["shared"]["text"] if "shared" in one else None


async def test_a_plain_share_is_made_once_and_shows_the_original(server: RunningServer) -> None:
    author, sharer, other = await server.people("plain_author", "plain_sharer", "plain_other")
    post_id = await publish(author)
    made = await share(sharer, post_id)
    assert (made["kind"], made["text"], made["share_count"]) == ("share", "", 0)
    assert (made["shared"]["id"], made["shared"]["share_count"]) == (post_id, 1)
    assert await share(sharer, post_id) == made
    again = await share(other, made["id"])
    assert (again["shared"]["id"], again["shared"]["share_count"]) == (post_id, 2)
    assert "shared" not in again["shared"]
    for _ in range(2):
        ack = await sharer.do("/posts", "post:unshare", {"post_id": post_id})
        assert ack == {"post_id": post_id, "shared": False}
    assert (await read(author, post_id))["share_count"] == 1
    await other.do("/posts", "post:unshare", {"post_id": again["id"]})
    assert (await read(author, post_id))["share_count"] == 0
    assert (await share(sharer, post_id))["id"] != made["id"]


async def test_quotes_are_many_and_are_kept_by_unshare(server: RunningServer) -> None:
    author, sharer = await server.people("quote_author", "quote_sharer")
    post_id = await publish(author)
    quotes = [await share(sharer, post_id, text=f"See #{tag}", client_id=tag) for tag in ("one", "two")]
    assert [quote["tags"] for quote in quotes] == [["one"], ["two"]]
    assert (await share(sharer, post_id, text="See #one", client_id="one"))["id"] == quotes[0]["id"]
    await sharer.do("/posts", "post:unshare", {"post_id": post_id})
    assert (await read(author, post_id))["share_count"] == 2
    edited = (await sharer.do("/posts", "post:update", {"post_id": quotes[0]["id"], "text": "edited"}))["post"]
    assert (edited["text"], edited["shared"]["id"]) == ("edited", post_id)
    await sharer.do("/posts", "post:delete", {"post_id": quotes[0]["id"]})
    assert (await read(author, post_id))["share_count"] == 1


async def test_only_public_posts_are_shared(server: RunningServer) -> None:
    author, sharer = await server.people("public_author", "public_sharer")
    await sharer.do("/users", "user:follow", {"user_id": author.id})
    post_id = await publish(author, visibility="followers")
    answer = await sharer.call("/posts", "post:share", {"post_id": post_id})
    assert answer["error"]["code"] == "forbidden"
    await author.do("/posts", "post:update", {"post_id": post_id, "visibility": "public"})
    made = await share(sharer, post_id)
    await author.do("/posts", "post:update", {"post_id": post_id, "visibility": "private"})
    answer = await author.call("/posts", "post:share", {"post_id": made["id"]})
    assert answer["error"]["code"] == "forbidden"
    answer = await sharer.call("/posts", "post:share", {"post_id": made["id"], "text": "a quote"})
    assert answer["error"]["code"] == "not_found"


async def test_the_shared_post_is_shown_only_to_those_who_may_see_it(server: RunningServer) -> None:
    author, sharer, reader = await server.people("seen_author", "seen_sharer", "seen_reader")
    await reader.do("/users", "user:follow", {"user_id": sharer.id})
    post_id = await publish(author)
    made = await share(sharer, post_id)
    assert await shown(reader, made) == "original"
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "edited"})
    assert await shown(reader, made) == "edited"
    await author.do("/posts", "post:update", {"post_id": post_id, "visibility": "followers"})
    assert await shown(reader, made) is None
    await reader.do("/users", "user:follow", {"user_id": author.id})
    assert await shown(reader, made) == "edited"
    await author.do("/users", "user:block", {"user_id": reader.id})
    assert await shown(reader, made) is None
    await author.do("/users", "user:unblock", {"user_id": reader.id})
    await author.do("/posts", "post:update", {"post_id": post_id, "visibility": "public"})
    assert await shown(reader, made) == "edited"
    await author.do("/posts", "post:delete", {"post_id": post_id})
    assert await shown(reader, made) is None


async def test_a_pull_tells_a_share_again_when_the_shared_post_changes(server: RunningServer) -> None:
    author, sharer, reader = await server.people("pull_author", "pull_sharer", "pull_reader")
    await reader.do("/users", "user:follow", {"user_id": sharer.id})
    post_id = await publish(author)
    made = await share(sharer, post_id)
    for change, text in (({"text": "edited"}, "edited"), ({"visibility": "private"}, None)):
        cursor = await settled_cursor(reader, "feed")
        await author.do("/posts", "post:update", {"post_id": post_id, **change})
        answer = await reader.do("/feed", "sync:pull", {"collections": ["feed"], "cursor": cursor})
        (item,) = answer["changes"]["feed"]["upserts"]
        assert (item["id"], item.get("shared", {}).get("text")) == (made["id"], text)
        assert item["version"] > made["version"]

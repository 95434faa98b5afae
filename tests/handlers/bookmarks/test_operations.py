"""Bookmarks as their user's devices hold them: by lists, by `sync:pull`, and by what they are told."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.bookmarks import operations
from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer


async def publish(author: Person, *texts: str, visibility: str = "public") -> list[str]:
    """The ids of new posts."""
    made = [await author.do("/posts", "post:create", {"text": text, "visibility": visibility}) for text in texts]
    return [ack["post"]["id"] for ack in made]


async def bookmark(reader: Person, *post_ids: str) -> None:
    for post_id in post_ids:
        assert await reader.do("/posts", "bookmark:add", {"post_id": post_id}) == {
            "post_id": post_id,
            "bookmarked": True,
        }


async def listed(reader: Person, **payload: Any) -> list[str]:
    """The ids of the bookmarked posts, each of which says that it is bookmarked."""
    page = await reader.do("/posts", "bookmark:list", payload)
    assert all(item["post"]["viewer"]["bookmarked"] for item in page["items"])
    return [item["post"]["id"] for item in page["items"]]


async def pulled(reader: Person, cursor: str) -> tuple[list[str], list[str], bool]:
    """What is upserted and removed since a cursor, and whether there is a reset."""
    answer = await reader.do("/posts", "sync:pull", {"collections": ["bookmarks"], "cursor": cursor})
    changes = answer["changes"].get("bookmarks", {"upserts": [], "removed": []})
    return [item["post"]["id"] for item in changes["upserts"]], changes["removed"], changes.get("reset", False)


async def test_the_newest_bookmark_is_the_first_of_the_list(server: RunningServer) -> None:
    author, reader, other = await server.people("order_author", "order_reader", "order_other")
    one, two, three = await publish(author, "one", "two", "three")
    await bookmark(reader, two, three, one, two)
    assert await listed(reader) == [one, three, two]
    first = await reader.do("/posts", "bookmark:list", {"limit": 2})
    assert await listed(reader, before=first["next_cursor"], limit=2) == [two]
    await reader.do("/posts", "bookmark:remove", {"post_id": two})
    assert await listed(reader) == [one, three]
    await bookmark(reader, two)
    assert await listed(reader) == [two, one, three]
    assert await listed(other) == []
    seen = [(await person.do("/posts", "post:get", {"post_id": one}))["post"]["viewer"] for person in (reader, other)]
    assert [viewer["bookmarked"] for viewer in seen] == [True, False]


async def test_what_is_hidden_or_deleted_is_in_no_list(server: RunningServer) -> None:
    author, reader = await server.people("hidden_author", "hidden_reader")
    kept, hidden, deleted = await publish(author, "kept", "hidden", "deleted")
    await bookmark(reader, kept, hidden, deleted)
    await author.do("/posts", "post:update", {"post_id": hidden, "visibility": "private"})
    await author.do("/posts", "post:delete", {"post_id": deleted})
    assert await listed(reader) == [kept]
    await author.do("/users", "user:block", {"user_id": reader.id})
    assert await listed(reader) == []
    await author.do("/users", "user:unblock", {"user_id": reader.id})
    await author.do("/posts", "post:update", {"post_id": hidden, "visibility": "public"})
    assert await listed(reader) == [hidden, kept]


async def test_other_devices_are_told_once(server: RunningServer) -> None:
    author, reader = await server.people("told_author", "told_reader")
    device = await reader.device()
    (post_id,) = await publish(author, "one")
    await bookmark(reader, post_id, post_id)
    told = await device.expect_push("collection:changed")
    assert (told["name"], told["removed"]) == ("bookmarks", [])
    assert told["upserts"] == (await reader.do("/posts", "bookmark:list"))["items"]
    for _ in range(2):
        await reader.do("/posts", "bookmark:remove", {"post_id": post_id})
    told = await device.expect_push("collection:changed")
    assert told == {"name": "bookmarks", "upserts": [], "removed": [post_id]}
    await bookmark(reader, post_id)
    assert (await device.expect_push("collection:changed"))["removed"] == []


async def test_a_pull_tells_what_was_bookmarked_removed_edited_hidden_and_deleted(server: RunningServer) -> None:
    author, reader = await server.people("pulled_author", "pulled_reader")
    kept, removed, edited, hidden, deleted, added = await publish(author, *"abcdef")
    own = (await publish(reader, "mine", visibility="private"))[0]
    await bookmark(reader, kept, removed, edited, hidden, deleted, own)
    cursor = await settled_cursor(reader, "bookmarks")
    assert await pulled(reader, cursor) == ([], [], False)
    await reader.do("/posts", "bookmark:remove", {"post_id": removed})
    await author.do("/posts", "post:update", {"post_id": edited, "text": "edited"})
    await author.do("/posts", "post:update", {"post_id": hidden, "visibility": "followers"})
    await author.do("/posts", "post:delete", {"post_id": deleted})
    await reader.do("/posts", "post:update", {"post_id": own, "text": "mine, edited"})
    await bookmark(reader, added)
    upserts, gone, is_reset = await pulled(reader, cursor)
    assert (upserts, sorted(gone), is_reset) == ([added, own, edited], sorted([removed, hidden, deleted]), False)


async def test_bookmarks_are_read_anew_after_a_block_and_after_too_much(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    author, reader = await server.people("reset_author", "reset_reader")
    post_ids = await publish(author, "one", "two")
    cursor = await settled_cursor(reader, "bookmarks")
    await bookmark(reader, *post_ids)
    assert await pulled(reader, cursor) == (post_ids[::-1], [], False)
    with monkeypatch.context() as bounds:
        bounds.setattr(operations, "CHANGED_BYTES_MAX", 600)
        assert await pulled(reader, cursor) == ([], [], True)
        first = await reader.do("/posts", "sync:pull", {"collections": ["bookmarks"]})
        assert [item["post"]["id"] for item in first["changes"]["bookmarks"]["upserts"]] == post_ids[1:]
    with monkeypatch.context() as bounds:
        bounds.setattr(operations, "CHANGED_BOOKMARKS_MAX", 1)
        assert await pulled(reader, cursor) == ([], [], True)
    cursor = await settled_cursor(reader, "bookmarks")
    await author.do("/users", "user:block", {"user_id": reader.id})
    assert await pulled(reader, cursor) == ([], [], True)

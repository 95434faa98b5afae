"""The home feed as clients use it: over sockets and REST of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import asyncpg
import orjson
import pytest

from handlers.feed.contract import SYNC_ITEMS_MAX, SYNC_WINDOW_DAYS
from handlers.feed.position import position_of
from realtime.contract.identity import Identity
from server.pipeline.dispatch import Request
from server.pipeline.no_session import NO_SESSION
from sql.ids import id_floor_ms
from tests.handlers.feed.feed_lab import FeedLab
from tests.kit.device import Device
from tests.kit.server import Person, RunningServer

DAY_MS = 24 * 3600 * 1000


async def follow(follower: Person, followed: Person) -> None:
    await follower.do("/users", "user:follow", {"user_id": followed.id})


async def post(author: Person, text: str, **fields: object) -> str:
    post_id: str = (await author.do("/posts", "post:create", {"text": text, **fields}))["post"]["id"]
    return post_id


async def expect_posts(device: Device, *post_ids: str) -> list[Any]:
    """The next `feed:new` pushes, which must be of these posts in any order."""
    heard = [await device.expect_push("feed:new") for _ in post_ids]
    assert sorted(push["post"]["id"] for push in heard) == sorted(post_ids)
    return heard


def ids_of(answer: Mapping[str, Any]) -> list[str]:
    return [item["id"] for item in answer["items"]]


async def test_a_subscriber_reads_the_feed_and_gets_later_posts_pushed(server: RunningServer) -> None:
    reader, author = await server.people("reader1", "author1")
    await follow(reader, author)
    first = await post(author, "before")
    device = await reader.main_device()
    snapshot = await device.do("/feed", "feed:subscribe", {"limit": 5})
    assert ids_of(snapshot) == [first]
    assert "next_cursor" not in snapshot
    assert snapshot["items"][0]["viewer"] == {"liked": False}
    second = await post(author, "after")
    while (push := await device.expect_push("feed:new"))["post"]["id"] != second:
        assert push["post"]["id"] == first, "heard and in the snapshot: its fact was late"
    assert push["position"] == position_of(int(second))
    assert push["post"]["text"] == "after"
    assert "viewer" not in push["post"]
    assert push["post"]["author"].keys() == {"id", "username", "display_name"}
    await device.expect_silence("feed:new")


async def test_a_post_is_pushed_to_subscribed_followers_only(server: RunningServer) -> None:
    follower, stranger, idle, author = await server.people("follower2", "stranger2", "idle2", "author2")
    await follow(follower, author)
    await follow(idle, author)
    for person in (follower, stranger, author):
        await person.do("/feed", "feed:subscribe")
    posted = await post(author, "for followers", visibility="followers")
    await expect_posts(await follower.main_device(), posted)
    for person in (stranger, idle, author):
        await person.expect_silence("feed:new", within_s=0.1)
    await follower.do("/feed", "feed:unsubscribe")
    await idle.do("/feed", "feed:subscribe")
    posted = await post(author, "once more")
    await expect_posts(await idle.main_device(), posted)
    await follower.expect_silence("feed:new", within_s=0.1)


async def test_each_socket_of_a_person_subscribes_for_itself(server: RunningServer) -> None:
    reader, author = await server.people("reader3", "author3")
    await follow(reader, author)
    phone, desk = await reader.device(), await reader.device()
    for device in (phone, desk, desk):
        await device.do("/feed", "feed:subscribe")
    posted = await post(author, "to both, once")
    for device in (phone, desk):
        await expect_posts(device, posted)
    await phone.do("/feed", "feed:unsubscribe")
    posted = await post(author, "to one")
    await expect_posts(desk, posted)
    for device in (phone, desk):
        await device.expect_silence("feed:new", within_s=0.1)


@pytest.mark.parametrize("blocker", ["reader", "author"])
async def test_a_block_stops_pushes_at_once(server: RunningServer, blocker: str) -> None:
    reader, author, witness = await server.people(f"reader4{blocker}", f"author4{blocker}", f"witness4{blocker}")
    for follower in (reader, witness):
        await follow(follower, author)
        await follower.do("/feed", "feed:subscribe")
    hidden = await post(author, "before the block")
    await expect_posts(await reader.main_device(), hidden)
    by, whom = (reader, author) if blocker == "reader" else (author, reader)
    await by.do("/users", "user:block", {"user_id": whom.id})
    posted = await post(author, "after the block")
    await expect_posts(await witness.main_device(), hidden, posted)
    await reader.expect_silence("feed:new", within_s=0.1)
    assert (await reader.do("/feed", "feed:page"))["items"] == []
    assert ids_of(await witness.do("/feed", "feed:page")) == [posted, hidden]


async def test_subscribing_while_posts_arrive_leaves_no_gap(server: RunningServer) -> None:
    reader, author = await server.people("reader5", "author5")
    await follow(reader, author)
    device = await reader.main_device()
    posted: list[str] = []

    async def write() -> None:
        for number in range(30):
            posted.append(await post(author, f"number {number}"))

    writing = asyncio.create_task(write())
    while len(posted) < 8:
        await asyncio.sleep(0.001)
    snapshot = await device.do("/feed", "feed:subscribe", {"limit": 100})
    await writing
    known = set(ids_of(snapshot))
    while known != set(posted):
        known.add((await device.expect_push("feed:new"))["post"]["id"])
    pushed = [push.data["post"]["id"] for push in device.heard if push.name == "feed:new"]
    assert len(pushed) == len(set(pushed))


async def test_sync_reads_missed_posts_and_a_new_position(server: RunningServer) -> None:
    reader, author = await server.people("reader6", "author6")
    await follow(reader, author)
    position = (await reader.do("/feed", "feed:subscribe"))["position"]
    first = await post(author, "missed")
    answer = await reader.do("/feed", "feed:sync", {"after": position})
    assert (ids_of(answer), answer["truncated"]) == ([first], False)
    second = await post(author, "missed too")
    again = await reader.do("/feed", "feed:sync", {"after": answer["position"]})
    assert ids_of(again) == [second, first], "newest first, with an overlap"
    status, rest = await reader.rest("GET", "/feed/sync", query={"after": answer["position"]})
    assert (status, ids_of(rest["data"])) == (200, [second, first])


async def test_sync_finds_a_post_that_was_committed_after_later_ones(server: RunningServer, database_url: str) -> None:
    reader, author = await server.people("reader7", "author7")
    await follow(reader, author)
    connection = await asyncpg.connect(database_url)
    try:
        transaction = connection.transaction()
        await transaction.start()
        late = await connection.fetchval(
            "INSERT INTO posts (author_id, text) VALUES ($1, 'late') RETURNING id", int(author.id)
        )
        early = await post(author, "early")
        seen = await reader.do("/feed", "feed:sync", {"after": position_of(int(early))})
        assert ids_of(seen) == [early]
        await transaction.commit()
        answer = await reader.do("/feed", "feed:sync", {"after": seen["position"]})
    finally:
        await connection.close()
    assert ids_of(answer) == [early, str(late)]


async def test_sync_is_truncated_when_there_are_more_posts(server: RunningServer, database_url: str) -> None:
    reader, author = await server.people("reader8", "author8")
    await follow(reader, author)
    connection = await asyncpg.connect(database_url)
    try:
        made = await connection.fetch(
            "INSERT INTO posts (author_id, text) SELECT $1::bigint, 'one of many' FROM generate_series(1, $2::bigint)"
            " RETURNING id",
            int(author.id),
            SYNC_ITEMS_MAX + 1,
        )
    finally:
        await connection.close()
    oldest, *others = sorted(row["id"] for row in made)
    answer = await reader.do("/feed", "feed:sync", {"after": position_of(oldest)})
    assert (ids_of(answer), answer["truncated"]) == ([str(post_id) for post_id in reversed(others)], True)
    below = await reader.do("/feed", "feed:page", {"before": answer["items"][-1]["id"]})
    assert ids_of(below) == [str(oldest)]


async def test_a_position_that_is_too_old_is_truncated(server: RunningServer) -> None:
    reader, author = await server.people("reader9", "author9")
    await follow(reader, author)
    posted = await post(author, "today")
    created_at_ms = (await reader.do("/posts", "post:get", {"post_id": posted}))["post"]["created_at_ms"]
    for age_days, truncated in ((SYNC_WINDOW_DAYS - 1, False), (SYNC_WINDOW_DAYS + 1, True)):
        position = position_of(id_floor_ms(created_at_ms - age_days * DAY_MS))
        answer = await reader.do("/feed", "feed:sync", {"after": position})
        assert (ids_of(answer), answer["truncated"]) == ([posted], truncated)


async def test_a_position_that_no_feed_answered_is_refused(server: RunningServer) -> None:
    reader = await server.person("reader10")
    for position in ("", "nonsense", "2abc", "1" * 30, 5, None):
        answer = await reader.call("/feed", "feed:sync", {"after": position})
        assert answer["error"]["code"] == "invalid_payload"
        assert list(answer["error"]["fields"]) == ["after"]


async def test_pages_over_rest_are_those_of_the_socket(server: RunningServer) -> None:
    reader, author = await server.people("reader11", "author11")
    await follow(reader, author)
    posted = [await post(author, f"number {number}") for number in range(25)]
    status, first = await reader.rest("GET", "/feed")
    assert status == 200
    assert first == await reader.call("/feed", "feed:page")
    assert ids_of(first["data"]) == posted[:-21:-1]
    cursor = first["data"]["next_cursor"]
    status, rest = await reader.rest("GET", "/feed", query={"before": cursor, "limit": "5"})
    assert status == 200
    assert ids_of(rest["data"]) == posted[4::-1]
    assert "next_cursor" not in rest["data"]


async def test_old_clients_page_by_offset(server: RunningServer) -> None:
    reader, author = await server.people("reader.offset", "author.offset")
    await follow(reader, author)
    expected = [await post(author, str(number)) for number in range(7)][::-1]
    for path in ("/feed", f"/users/{author.id}/posts"):
        for offset in (0, 3, 6, 7, 1_000):
            _, answer = await reader.rest("GET", path, query={"offset": str(offset), "limit": "3"})
            assert ids_of(answer["data"]) == expected[offset : offset + 3]
            assert ("next_cursor" in answer["data"]) == (offset + 3 < 7)
        for bad in ("-1", "1001", "x"):
            assert (await reader.rest("GET", path, query={"offset": bad}))[0] == 422


async def test_a_new_follow_brings_the_posts_of_before(server: RunningServer) -> None:
    reader, author = await server.people("reader12", "author12")
    posted = await post(author, "before anybody followed")
    assert (await reader.do("/feed", "feed:page"))["items"] == []
    await follow(reader, author)
    async with asyncio.timeout(10):
        while not (page := await reader.do("/feed", "feed:page"))["items"]:
            await asyncio.sleep(0.02)
    assert ids_of(page) == [posted]
    assert page["items"][0]["author"]["id"] == author.id
    await reader.do("/users", "user:unfollow", {"user_id": author.id})
    assert (await reader.do("/feed", "feed:page"))["items"] == []


@pytest.mark.parametrize("name", ["feed:subscribe", "feed:unsubscribe"])
async def test_only_a_live_connection_can_subscribe(lab: FeedLab, name: str) -> None:
    (person,) = await lab.people(1)
    request = Request(
        namespace="/feed",
        name=name,
        payload={},
        size_bytes=2,
        credentials=Identity(person, 1, 2**40),
        address="127.0.0.1",
        user_agent=None,
        session=NO_SESSION,
    )
    answer = orjson.loads((await lab.node.dispatcher.call(request)).body)
    assert answer["error"]["code"] == "forbidden"
    assert "live connection" in answer["error"]["message"]

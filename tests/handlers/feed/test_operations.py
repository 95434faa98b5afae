"""The home feed as clients use it: over sockets and REST of a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from realtime.contract.identity import Identity
from server.pipeline.dispatch import Request
from server.pipeline.no_session import NO_SESSION
from tests.handlers.feed.feed_lab import FeedLab
from tests.kit.device import Device
from tests.kit.positions import settled_cursor
from tests.kit.server import Person, RunningServer


async def follow(follower: Person, followed: Person) -> None:
    await follower.do("/users", "user:follow", {"user_id": followed.id})


async def post(author: Person, text: str, **fields: object) -> str:
    post_id: str = (await author.do("/posts", "post:create", {"text": text, **fields}))["post"]["id"]
    return post_id


async def sync(reader: Person, position: str) -> dict[str, Any]:
    answer: dict[str, Any] = await reader.do("/feed", "feed:sync", {"after": position})
    return answer


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
    assert snapshot["items"][0]["viewer"] == {"liked": False, "bookmarked": False, "may_comment": True}
    second = await post(author, "after")
    while (push := await device.expect_push("feed:new"))["post"]["id"] != second:
        assert push["post"]["id"] == first, "heard and in the snapshot: its fact was late"
    assert push.keys() == {"post"}
    assert push["post"]["text"] == "after"
    assert "viewer" not in push["post"]
    assert push["post"]["author"].keys() == {"id", "username", "display_name", "version"}
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


async def test_the_page_of_a_subscription_and_its_position_leave_no_gap(server: RunningServer) -> None:
    """A list may lack a post that its consumer has not put there: it lies above the position."""
    reader, author = await server.people("reader6", "author6")
    await follow(reader, author)
    async with asyncio.timeout(10):  # until the follow is no news to the consumer that fills the lists
        while "reset" in await sync(reader, (await reader.do("/feed", "feed:subscribe"))["position"]):
            await asyncio.sleep(0.02)
    posted = [await post(author, f"number {number}") for number in range(5)]
    snapshot = await reader.do("/feed", "feed:subscribe")
    assert {*ids_of(snapshot), *ids_of(await sync(reader, snapshot["position"]))} == set(posted)
    position = await settled_cursor(reader, "feed")
    missed = await post(author, "missed")
    told = await sync(reader, position)
    _, by_rest = await reader.rest("GET", "/feed/sync", query={"after": position})
    for each in (told, by_rest["data"]):
        assert (ids_of(each), each["removed"]) == ([missed], [])
        assert each["items"][0]["viewer"] == {"liked": False, "bookmarked": False, "may_comment": True}


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

"""Whoever mutes a user does not have their posts in the feed, and nobody else can tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.kit.device import Device
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

WITHIN_S = 20


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[tuple[RunningServer, RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        yield one, other


async def publish(author: Person, text: str) -> str:
    answer = await author.do("/posts", "post:create", {"text": text, "visibility": "followers"})
    post_id: str = answer["post"]["id"]
    return post_id


async def feed(reader: Person) -> list[str]:
    return [post["text"] for post in (await reader.do("/feed", "feed:page", {}))["items"]]


async def follow(reader: Person, *authors: Person) -> None:
    for author in authors:
        await reader.do("/users", "user:follow", {"user_id": author.id})


async def until_heard(device: Device, text: str) -> None:
    async with asyncio.timeout(WITHIN_S):
        while text not in texts(device):
            await asyncio.sleep(0.005)


def texts(device: Device) -> list[str]:
    return [push.data["post"]["text"] for push in device.heard if push.name in ("feed:new", "post:updated")]


def removals(device: Device) -> list[list[str]]:
    return [push.data["post_ids"] for push in device.heard if push.name == "feed:removed"]


async def relation_of(person: Person, other: Person) -> dict[str, Any] | None:
    read = await person.do("/users", "sync:pull", {"collections": ["relations"]})
    return next((item for item in read["changes"]["relations"]["upserts"] if item["user_id"] == other.id), None)


async def test_posts_of_a_muted_user_leave_the_feed_on_every_node(nodes: tuple[RunningServer, RunningServer]) -> None:
    one, elsewhere = nodes
    ada, bea, cai, dot = await one.people("mute.ada", "mute.bea", "mute.cai", "mute.dot")
    await follow(ada, bea, cai)
    await follow(dot, bea, cai)
    device, at_dot = await elsewhere.device(ada.access_token), await elsewhere.device(dot.access_token)
    for opened in (device, at_dot):
        await opened.do("/feed", "feed:subscribe")
    first = await publish(bea, "Before")
    await until_heard(device, "Before")
    named = {"user_id": bea.id}
    assert await ada.do("/users", "user:mute", named) == {"muted": True}
    assert await feed(ada) == []
    assert (await ada.do("/users", "user:get", named))["user"]["viewer"]["muted"] is True
    await device.expect_push("feed:removed")
    assert removals(device) == [[first]]
    await publish(bea, "Meanwhile")
    await bea.do("/posts", "post:update", {"post_id": first, "text": "Before, edited"})
    await publish(cai, "Of somebody else")
    await until_heard(device, "Of somebody else")
    for text in ("Meanwhile", "Before, edited"):
        await until_heard(at_dot, text)
    await device.expect_silence("post:updated", within_s=0.1)
    assert texts(device) == ["Before", "Of somebody else"]
    assert await feed(ada) == ["Of somebody else"]
    # Everything else is as before: the post itself, and what the muted user sees.
    assert (await ada.do("/posts", "post:get", {"post_id": first}))["post"]["text"] == "Before, edited"
    await publish(ada, "Of ada")
    seen = (await bea.do("/users", "user:get", {"user_id": ada.id}))["user"]
    assert seen["viewer"] == {
        "following": False, "followed_by": True, "blocked": False, "muted": False, "requested": False,
    }  # fmt: skip
    assert await ada.do("/users", "user:unmute", named) == {"muted": False}
    assert await feed(ada) == ["Of somebody else", "Meanwhile", "Before, edited"]
    await publish(bea, "Afterwards")
    await until_heard(device, "Afterwards")


async def test_the_own_devices_hear_of_a_mute_and_the_muted_one_does_not(server: RunningServer) -> None:
    ada, bea = await server.people("told.ada", "told.bea")
    await follow(ada, bea)
    at_ada, at_bea = await ada.device(namespaces=["/users"]), await bea.device(namespaces=["/users"])
    until_ms = int(time.time() * 1000) + 3_600_000
    muted = {"user_id": bea.id, "following": True, "blocked": False, "muted": True, "requested": False}
    for payload, item in (
        ({}, muted),
        ({}, None),
        ({"until_ms": until_ms}, {**muted, "muted_until_ms": until_ms}),
        ({}, muted),
    ):
        answer = await ada.do("/users", "user:mute", {"user_id": bea.id, **payload})
        assert answer == {"muted": True, **({"muted_until_ms": until_ms} if payload else {})}
        if item is not None:
            assert await at_ada.expect_push("collection:changed") == {
                "name": "relations", "upserts": [item], "removed": [],
            }  # fmt: skip
            assert await relation_of(ada, bea) == item
    await ada.do("/users", "user:unfollow", {"user_id": bea.id})
    assert (await at_ada.expect_push("collection:changed"))["upserts"] == [{**muted, "following": False}]
    for _ in range(2):
        await ada.do("/users", "user:unmute", {"user_id": bea.id})
    assert (await at_ada.expect_push("collection:changed"))["removed"] == [bea.id]
    assert await relation_of(ada, bea) is None
    for device in (at_ada, at_bea):
        await device.expect_silence("collection:changed", within_s=0.1)


async def test_an_end_lies_in_the_future(server: RunningServer) -> None:
    ada, bea = await server.people("late.ada", "late.bea")
    past = {"user_id": bea.id, "until_ms": int(time.time() * 1000) - 1}
    answer = await ada.call("/users", "user:mute", past)
    assert answer["error"]["code"] == "invalid_payload"
    assert answer["error"]["fields"] == {"until_ms": "must be in the future"}
    assert await relation_of(ada, bea) is None

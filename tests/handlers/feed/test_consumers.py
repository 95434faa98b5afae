"""A published post is added to lists and pushed to subscribed followers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from handlers.feed.consumers import BATCH_SIZE
from tests.handlers.feed.feed_lab import FeedLab
from tests.kit.server import RunningServer, running_server, settings_for_tests

BROADCASTER_FROM = 2


async def metric(server: RunningServer, name: str) -> float:
    """A value that the node shows to those who run it; 0 for one that it has not counted yet."""
    async with server.http.get(f"{server.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return next((float(line.removeprefix(name)) for line in lines if line.startswith(f"{name} ")), 0)


LISTS_WRITTEN = 'rookery_events_total{name="feed_lists_written"}'
PUSHES_OFFERED = 'rookery_events_total{name="feed_pushes_offered"}'
POSTS_FANNED_OUT = 'rookery_events_total{name="feed_posts_fanned_out"}'
POSTS_DEALT_WITH = 'rookery_reactions_total{consumer="feed_fanout",result="done"}'
FOLLOWS_DEALT_WITH = 'rookery_reactions_total{consumer="feed_follow",result="done"}'


async def until(server: RunningServer, name: str, value: float) -> None:
    async with asyncio.timeout(10):
        while await metric(server, name) < value:
            await asyncio.sleep(0.02)


async def test_all_batches_of_followers_get_a_post_into_their_lists(lab: FeedLab) -> None:
    (author,) = await lab.people(1)
    await lab.posts_of_the_past([author], 3)
    followers: list[int] = [
        row["id"]
        for row in await lab.database.fetch(
            "INSERT INTO users (username, username_folded, phone, password_hash)"
            " SELECT 'crowd' || n, 'crowd' || n, '+' || n, '' FROM generate_series(1, $1::bigint) AS n"
            " RETURNING id",
            2 * BATCH_SIZE + 1,
        )
    ]
    await lab.database.execute(
        "INSERT INTO follows (follower_id, followed_id) SELECT id, $1 FROM unnest($2::bigint[]) AS item (id)",
        author,
        followers,
    )
    readers = [followers[0], followers[BATCH_SIZE - 1], followers[BATCH_SIZE], followers[-1]]
    for reader in readers:
        await lab.page(reader)
    posted = await lab.post(author)
    await lab.settle()
    for reader in readers:
        assert (await lab.page(reader))[0][0] == posted


async def test_a_post_deleted_before_its_fact_is_not_delivered(lab: FeedLab) -> None:
    (reader, author) = await lab.people(2)
    await lab.follow_in_the_past([reader], [author])
    await lab.page(reader)
    posted = await lab.post(author)
    await lab.do(author, "/posts", "post:delete", post_id=str(posted))
    created, _ = await lab.new_facts()
    await lab.bring(created)
    assert await lab.page(reader) == ([], None)


@pytest_asyncio.fixture
async def small_town(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    """A server where a few followers make a broadcaster."""
    settings = settings_for_tests(database_url, redis_url, feed_fanout_max_followers=BROADCASTER_FROM)
    async with running_server(settings) as running:
        yield running


async def test_a_broadcaster_s_post_reaches_only_subscribed_followers(small_town: RunningServer) -> None:
    names = ("star", "listening_fan", "absent_fan", "blocked_fan", "listening_stranger")
    star, fan, absent, blocked, stranger = await small_town.people(*names)
    early = (await star.do("/posts", "post:create", {"text": "before the fame"}))["post"]["id"]
    await until(small_town, POSTS_DEALT_WITH, 1)
    for person in (fan, absent, blocked):
        await person.do("/users", "user:follow", {"user_id": star.id})
    for person in (fan, blocked, stranger, star):
        await person.do("/feed", "feed:subscribe")
    await star.do("/users", "user:block", {"user_id": blocked.id})
    written, offered = await metric(small_town, LISTS_WRITTEN), await metric(small_town, PUSHES_OFFERED)
    posted = (await star.do("/posts", "post:create", {"text": "to the world"}))["post"]["id"]
    assert (await fan.expect_push("feed:new"))["post"]["id"] == posted
    for person in (fan, absent, blocked, stranger, star):
        await person.expect_silence("feed:new", within_s=0.1)
    assert await metric(small_town, PUSHES_OFFERED) == offered + 1
    assert await metric(small_town, LISTS_WRITTEN) == written
    for person in (fan, absent):
        page = await person.do("/feed", "feed:page")
        assert [item["id"] for item in page["items"]] == [posted, early]
    await star.do("/posts", "post:update", {"post_id": early, "text": "before all that"})
    await star.do("/posts", "post:delete", {"post_id": posted})
    assert (await fan.expect_push("post:updated"))["post"]["text"] == "before all that"
    assert await fan.expect_push("post:deleted") == {"post_id": posted}
    for person in (fan, absent, blocked, stranger, star):
        for name in ("post:updated", "post:deleted"):
            await person.expect_silence(name, within_s=0.02)


@pytest.mark.parametrize("posts_on", [0, 1])
async def test_a_post_reaches_listeners_on_all_nodes_once(database_url: str, redis_url: str, posts_on: int) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings, work=False) as other:
        author, reader = await one.people(f"far_author{posts_on}", f"far_reader{posts_on}")
        await reader.do("/users", "user:follow", {"user_id": author.id})
        devices = [await node.device(reader.access_token) for node in (one, other)]
        for device in devices:
            await device.do("/feed", "feed:subscribe")
        status, answer = await (one, other)[posts_on].rest("POST", "/posts", {"text": "far"}, token=author.access_token)
        assert status == 201
        for device in devices:
            assert (await device.expect_push("feed:new"))["post"]["id"] == answer["data"]["post"]["id"]
            await device.expect_silence("feed:new", within_s=0.1)
        named = {"post_id": answer["data"]["post"]["id"]}
        await author.do("/posts", "post:delete", named)
        for device in devices:
            assert await device.expect_push("post:deleted") == named


async def test_what_a_post_cost_can_be_seen(server: RunningServer) -> None:
    author, reader, idle = await server.people("costly", "reader", "idle")
    for follower in (reader, idle):
        await follower.do("/users", "user:follow", {"user_id": author.id})
    await until(server, FOLLOWS_DEALT_WITH, 2)
    await reader.do("/feed", "feed:subscribe")
    await author.do("/posts", "post:create", {"text": "one post"})
    await reader.expect_push("feed:new")
    assert await metric(server, POSTS_FANNED_OUT) == 1
    assert await metric(server, PUSHES_OFFERED) == 2
    assert await metric(server, LISTS_WRITTEN) == 1

"""Who changed something sees it in the next page of their feed, on every node, also before any worker has run."""

from __future__ import annotations

import asyncio

from realtime.feeds.packed_lists import PackedLists
from realtime.redis.client import open_redis
from tests.handlers.feed.feed_lab import LIST_MAX, FeedLab
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

ROUNDS = 50


async def feed(node: RunningServer, reader: Person) -> set[str]:
    status, answer = await node.rest("GET", "/feed", query={"limit": "100"}, token=reader.access_token)
    assert status == 200, answer
    return {post["id"] for post in answer["data"]["items"]}


async def change(node: RunningServer, person: Person, method: str, path: str, json: object = None) -> None:
    status, answer = await node.rest(method, path, json, token=person.access_token)
    assert status == 200, answer


async def test_a_change_of_ones_own_shows_in_the_next_page_on_another_node(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        reader, *authors = await one.people("own.reader", *[f"own.{number}" for number in range(5)])
        posts = {author.id: {await publish(one, author) for _ in range(3)} for author in authors}
        seen: set[str] = set()
        for turn in range(ROUNDS):
            author = authors[turn % len(authors)]
            here, there = (one, other) if turn % 2 else (other, one)
            path, theirs = f"/users/{author.id}", posts[author.id]
            # The other order too: pages are read, lists are built and a post arrives while the follow is under way.
            _, _, _, posted = await asyncio.gather(
                change(here, reader, "POST", f"{path}/follow"),
                feed(there, reader),
                feed(here, reader),
                publish(there, author),
            )
            theirs.add(posted)
            # What somebody else posts at that moment may come a little later, by a consumer of Facts.
            assert await feed(there, reader) | {posted} == seen | theirs, turn
            while posted not in await feed(there, reader):
                await asyncio.sleep(0.005)
            match turn % 4:
                case 0:
                    await change(here, reader, "DELETE", f"{path}/follow")
                case 1:
                    await change(here, reader, "POST", f"{path}/block")
                    assert await feed(there, reader) == seen, turn
                    await change(there, reader, "DELETE", f"{path}/block")
                case 2:
                    await change(here, author, "DELETE", f"/posts/{posted}")
                    theirs.remove(posted)
                    seen |= theirs
                case 3:
                    await change(here, author, "PATCH", f"/posts/{posted}", {"visibility": "followers"})
                    seen |= theirs
            assert await feed(here, reader) == await feed(there, reader) == seen, turn
            if turn % 4 >= 2:
                await change(there, reader, "DELETE", f"{path}/follow")
                seen -= theirs


async def publish(node: RunningServer, author: Person) -> str:
    status, answer = await node.rest("POST", "/posts", {"text": "Hello"}, token=author.access_token)
    assert status == 201, answer
    post_id: str = answer["data"]["post"]["id"]
    return post_id


async def test_a_list_whose_rows_were_read_before_a_follow_is_not_used(lab: FeedLab, redis_url: str) -> None:
    (viewer, author, followed_later) = await lab.people(3)
    await lab.follow_in_the_past([viewer], [author])
    await lab.posts_of_the_past([author, followed_later], LIST_MAX)
    redis = open_redis(redis_url, client_name="another-node")
    lists = PackedLists(redis, prefix="feed", max_length=LIST_MAX)
    try:
        for version, is_built_before_the_follow in enumerate((True, False)):
            token, rows = await lists.begin_rebuild(viewer), await lab.truth(viewer)
            assert token is not None
            if is_built_before_the_follow:
                assert await lists.finish_rebuild(viewer, token, rows, 0, version=version)
            await lab.do(viewer, "/users", "user:follow", user_id=str(followed_later))
            if not is_built_before_the_follow:
                assert await lists.finish_rebuild(viewer, token, rows, 0, version=version)
            assert await lists.read(viewer) is not None, "no worker has deleted it"
            assert await lab.walk(viewer) == await lab.truth(viewer) != rows
            await lab.settle()
            assert await lists.read(viewer) is None
            await lab.do(viewer, "/users", "user:unfollow", user_id=str(followed_later))
    finally:
        await lists.stop()
        await redis.aclose()

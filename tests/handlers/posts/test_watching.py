"""The live room of a post: who watches it hears what happens to it, for as long as they may see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import asyncpg
import pytest_asyncio

from server.transports.sockets import ENTERED_ROOMS_MAX
from tests.kit.device import Device
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests

POSTS = "/posts"


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[list[RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings, work=False) as other:
        yield [one, other]


class Stage(NamedTuple):
    """The author's post, watched by the author, a follower and a stranger, each on both nodes."""

    author: Person
    follower: Person
    stranger: Person
    post: dict[str, str]
    devices: dict[Person, list[Device]]

    async def comment(self, by: Person, text: str, **more: str) -> str:
        made = await by.do(POSTS, "comment:create", {**self.post, "text": text, **more})
        comment_id: str = made["comment"]["id"]
        return comment_id

    async def hear(self, person: Person, name: str) -> list[Any]:
        """The next push of this name on each device of a person."""
        return [await device.expect_push(name) for device in self.devices[person]]

    def texts(self, person: Person) -> list[list[str]]:
        """The comments that each device of a person has heard."""
        return [
            [push.data["comment"]["text"] for push in device.heard if push.name == "comment:created"]
            for device in self.devices[person]
        ]


async def set_stage(nodes: list[RunningServer], mark: str) -> Stage:
    author, follower, stranger = people = await nodes[0].people(*(f"{mark}.{role}" for role in ("ada", "fan", "eve")))
    await follower.do("/users", "user:follow", {"user_id": author.id})
    posted = await author.do(POSTS, "post:create", {"text": "The post"})
    post = {"post_id": posted["post"]["id"]}
    devices = {person: [await node.device(person.access_token) for node in nodes] for person in people}
    for device in (device for of_person in devices.values() for device in of_person):
        assert (await device.do(POSTS, "post:watch", post))["post"]["text"] == "The post"
    return Stage(author, follower, stranger, post, devices)


async def test_watchers_on_all_nodes_hear_what_happens_to_a_post(nodes: list[RunningServer]) -> None:
    stage = await set_stage(nodes, "hear")
    everybody = (stage.author, stage.follower, stage.stranger)
    # The post is public: an unfollow hides nothing.
    await stage.follower.do("/users", "user:unfollow", {"user_id": stage.author.id})
    comment_id = await stage.comment(stage.stranger, "Well said")
    for person in everybody:
        assert [push["comment"]["id"] for push in await stage.hear(person, "comment:created")] == [comment_id] * 2
    await stage.devices[stage.stranger][0].do(POSTS, "post:unwatch", stage.post)
    await stage.author.do(POSTS, "comment:delete", {"comment_id": comment_id})
    await stage.author.do(POSTS, "post:update", {**stage.post, "text": "Edited"})
    await stage.author.do(POSTS, "post:delete", stage.post)
    for person in (stage.author, stage.follower):
        assert await stage.hear(person, "comment:deleted") == [{"comment_id": comment_id, **stage.post}] * 2
        assert [push["post"]["text"] for push in await stage.hear(person, "post:updated")] == ["Edited"] * 2
        assert await stage.hear(person, "post:deleted") == [stage.post] * 2
    unwatched, watching = stage.devices[stage.stranger]
    await watching.expect_push("post:deleted")
    assert [push.name for push in unwatched.heard] == ["comment:created"]


async def test_who_may_not_see_the_post_any_more_hears_no_more_of_it(nodes: list[RunningServer]) -> None:
    blocked, blocking, narrowed = [await set_stage(nodes, mark) for mark in ("blocked", "blocking", "narrowed")]
    await blocked.author.do("/users", "user:block", {"user_id": blocked.stranger.id})
    await blocking.stranger.do("/users", "user:block", {"user_id": blocking.author.id})
    await narrowed.author.do(POSTS, "post:update", {**narrowed.post, "visibility": "followers"})
    for stage in (blocked, blocking, narrowed):
        assert await stage.hear(stage.stranger, "resync") == [{"scope": f"post:{stage.post['post_id']}"}] * 2
        refused = await stage.devices[stage.stranger][0].call(POSTS, "post:watch", stage.post)
        assert refused["error"]["code"] == "not_found"
    # Whoever still sees a post with another visibility watches it again.
    for person in (narrowed.author, narrowed.follower):
        assert await narrowed.hear(person, "resync") == [{"scope": f"post:{narrowed.post['post_id']}"}] * 2
        for device in narrowed.devices[person]:
            await device.do(POSTS, "post:watch", narrowed.post)
    for stage in (blocked, blocking, narrowed):
        await stage.comment(stage.author, "Among us")
        for person in (stage.author, stage.follower):
            await stage.hear(person, "comment:created")
        assert stage.texts(stage.stranger) == [[], []]

    await narrowed.follower.do("/users", "user:unfollow", {"user_id": narrowed.author.id})
    await narrowed.hear(narrowed.follower, "resync")
    await narrowed.comment(narrowed.author, "Alone")
    await narrowed.hear(narrowed.author, "comment:created")
    assert narrowed.texts(narrowed.follower) == [["Among us"]] * 2


async def test_a_private_post_is_watched_by_its_author_alone(nodes: list[RunningServer]) -> None:
    stage = await set_stage(nodes, "private")
    scope = {"scope": f"post:{stage.post['post_id']}"}
    comment_id = await stage.comment(stage.stranger, "While it is public")
    await stage.author.do(POSTS, "post:update", {**stage.post, "visibility": "private"})
    for person in (stage.author, stage.follower, stage.stranger):
        assert await stage.hear(person, "resync") == [scope] * 2
        for device in stage.devices[person]:
            answer = await device.call(POSTS, "post:watch", stage.post)
            assert answer["ok"] == (person is stage.author)
    await stage.author.do(POSTS, "post:update", {**stage.post, "text": "A diary"})
    await stage.comment(stage.author, "To myself", parent_id=comment_id)
    await stage.stranger.do(POSTS, "comment:delete", {"comment_id": comment_id})
    await stage.author.do(POSTS, "post:update", {**stage.post, "visibility": "followers"})
    for name in ("post:updated", "comment:deleted", "resync"):
        await stage.hear(stage.author, name)
    for device in (*stage.devices[stage.author], *stage.devices[stage.follower]):
        assert (await device.do(POSTS, "post:watch", stage.post))["post"]["text"] == "A diary"
    await stage.comment(stage.author, "Among us")
    await stage.author.do(POSTS, "post:delete", stage.post)
    for person in (stage.author, stage.follower):
        await stage.hear(person, "post:deleted")
    assert stage.texts(stage.author) == [["While it is public", "To myself", "Among us"]] * 2
    assert stage.texts(stage.follower) == [["While it is public", "Among us"]] * 2
    assert stage.texts(stage.stranger) == [["While it is public"]] * 2
    for device in (*stage.devices[stage.follower], *stage.devices[stage.stranger]):
        assert not any(push.name in ("post:updated", "comment:deleted") for push in device.heard)


async def test_a_block_between_watchers_hides_comments_and_the_replies_to_them(nodes: list[RunningServer]) -> None:
    stage = await set_stage(nodes, "between")
    await stage.follower.do("/users", "user:block", {"user_id": stage.stranger.id})
    hidden = await stage.comment(stage.stranger, "from the blocked")
    await stage.comment(stage.author, "a reply to the blocked", parent_id=hidden)
    await stage.comment(stage.follower, "from who blocks")
    await stage.author.do(POSTS, "comment:delete", {"comment_id": hidden})
    await stage.comment(stage.author, "to all")
    for person, others in ((stage.follower, ["from who blocks"]), (stage.stranger, ["from the blocked"])):
        replies = ["a reply to the blocked"] if person is stage.stranger else []
        for device in stage.devices[person]:
            while (await device.expect_push("comment:created"))["comment"]["text"] != "to all":
                pass
        assert stage.texts(person) == [[*others, *replies, "to all"]] * 2
    await stage.hear(stage.stranger, "comment:deleted")
    assert not any(push.name == "comment:deleted" for device in stage.devices[stage.follower] for push in device.heard)


async def test_a_socket_watches_a_bounded_number_of_posts(server: RunningServer, database_url: str) -> None:
    author = await server.person("many.posts")
    device = await author.main_device()
    statement = "INSERT INTO posts (author_id, text) SELECT $1, 'one of many' FROM generate_series(0, $2) RETURNING id"
    connection = await asyncpg.connect(database_url)
    rows = await connection.fetch(statement, int(author.id), ENTERED_ROOMS_MAX)
    await connection.close()
    *some, last = [{"post_id": str(row["id"])} for row in rows]
    for post in (*some, some[0]):
        await device.do(POSTS, "post:watch", post)
    assert (await device.call(POSTS, "post:watch", last))["error"]["code"] == "too_large"
    await device.do(POSTS, "post:unwatch", some[0])
    await device.do(POSTS, "post:watch", last)

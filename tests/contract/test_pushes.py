"""Every declared push arrives as declared, and contains nothing about its recipient."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

import orjson
import pytest

from handlers.limits import BIO_CHARS, DISPLAY_NAME_CHARS, LINK_CHARS, MESSAGE_CHARS, POST_CHARS
from realtime.contract.declarations import AUTH_NAMESPACE
from realtime.contract.wire import encode_model
from realtime.redis.client import open_redis
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.world import World, make_world
from tests.kit.server import NAMESPACES, PASSWORD, Person, RunningServer, running_server, settings_for_tests

PUSHES = Registry(FEATURES).pushes
SETTINGS: Mapping[str, Mapping[str, object]] = {
    "conversation:position": {"positions_every_s": 0.5},
    "token:expiring": {"access_token_ttl_s": 4},
}
CONNECTED = (*NAMESPACES, AUTH_NAMESPACE)
HEARD_IN = {"post:updated": ("/feed", "/posts"), "post:deleted": ("/feed", "/posts")}
FOUR_BYTES = "\U0001f600"

Cause = Callable[[RunningServer, World], Awaitable[object]]


async def time_passes(server: RunningServer, world: World) -> None:
    pass


async def the_login_is_ended(server: RunningServer, world: World) -> None:
    for person in (world.me, world.friend):
        payload = {"refresh_token": person.refresh_token, "everywhere": True}
        await server.rest("POST", "/auth/logout", payload)


async def a_friend_posts(server: RunningServer, world: World) -> None:
    author, _ = await followed_author(server, world)
    await author.do("/posts", "post:create", {"text": "News", "link": "https://example.org/"})


async def a_friend_edits(server: RunningServer, world: World) -> None:
    author, post_id = await followed_author(server, world)
    await author.do("/posts", "post:update", {"post_id": post_id, "text": "Old news"})
    await world.me.do("/posts", "post:update", {"post_id": world.values["post_id"], "text": "Old news"})


async def a_friend_deletes(server: RunningServer, world: World) -> None:
    author, post_id = await followed_author(server, world)
    await author.do("/posts", "post:delete", {"post_id": post_id})
    await world.me.do("/posts", "post:delete", {"post_id": world.values["post_id"]})


async def somebody_comments(server: RunningServer, world: World) -> None:
    await world.me.do("/posts", "comment:create", {"post_id": world.values["post_id"], "text": "Well said"})


async def somebody_votes(server: RunningServer, world: World) -> None:
    await world.me.do("/posts", "poll:vote", {"post_id": world.values["post_id"], "choices": [1]})


async def somebody_edits_a_comment(server: RunningServer, world: World) -> None:
    edit = {"comment_id": world.values["comment_id"], "text": "Very well said"}
    await world.me.do("/posts", "comment:update", edit)


async def somebody_deletes_a_comment(server: RunningServer, world: World) -> None:
    await world.me.do("/posts", "comment:delete", {"comment_id": world.values["comment_id"]})


async def a_friend_is_followed_no_more(server: RunningServer, world: World) -> None:
    author, _ = await followed_author(server, world)
    for follower in (world.me, world.friend):
        await follower.do("/users", "user:unfollow", {"user_id": author.id})


async def followed_author(server: RunningServer, world: World) -> tuple[Person, str]:
    """Somebody whom both follow, and a post of theirs."""
    author = await server.person(f"author.{world.me.username}")
    for follower in (world.me, world.friend):
        await follower.do("/users", "user:follow", {"user_id": author.id})
    return author, (await author.do("/posts", "post:create", {"text": "News"}))["post"]["id"]


async def somebody_writes(server: RunningServer, world: World) -> None:
    payload = {"conversation_id": world.values["conversation_id"], "text": "Hello", "client_id": "a1"}
    await world.me.do("/chat", "message:send", {**payload, "reply_to_seq": 1})


async def somebody_reads(server: RunningServer, world: World) -> None:
    await world.me.do("/chat", "message:read", {"conversation_id": world.values["conversation_id"], "seq": 1})


async def conversations_begin(server: RunningServer, world: World) -> None:
    other = await server.person(f"other.{world.me.username}")
    for person in (world.me, world.friend):
        await other.do("/chat", "message:write", {"user_id": person.id, "text": "Hello"})


async def somebody_comes(server: RunningServer, world: World) -> None:
    payload = {"login": f"comer.{world.me.username}", "password": PASSWORD}
    _, login = await server.rest("POST", "/auth/login", payload)
    await server.device(login["data"]["access_token"])


async def redis_ends_the_subscriptions(server: RunningServer, world: World) -> None:
    redis = open_redis(server.settings.redis_url, client_name="test")
    try:
        await redis.client_kill_filter(_type="pubsub")
    finally:
        await redis.aclose()


async def the_server_stops(server: RunningServer, world: World) -> None:
    await server.node.stop()


async def profiles_are_edited(server: RunningServer, world: World) -> None:
    for person in (world.me, world.friend):
        await person.do("/users", "user:update", {"bio": "Analyst"})


CAUSES: Mapping[str, Cause] = {
    "collection:changed": profiles_are_edited,
    "resync": redis_ends_the_subscriptions,
    "server:draining": the_server_stops,
    "token:expiring": time_passes,
    "session:revoked": the_login_is_ended,
    "feed:new": a_friend_posts,
    "feed:removed": a_friend_is_followed_no_more,
    "comment:created": somebody_comments,
    "poll:counters": somebody_votes,
    "comment:updated": somebody_edits_a_comment,
    "comment:deleted": somebody_deletes_a_comment,
    "post:updated": a_friend_edits,
    "post:deleted": a_friend_deletes,
    "message:created": somebody_writes,
    "receipt:updated": somebody_reads,
    "conversation:position": somebody_writes,
    "conversation:updated": conversations_begin,
    "presence:changed": somebody_comes,
}


def test_every_push_has_a_cause() -> None:
    assert set(CAUSES) == set(PUSHES)


@pytest.mark.parametrize("name", sorted(CAUSES))
async def test_a_push_is_as_it_was_declared(database_url: str, redis_url: str, name: str) -> None:
    push = PUSHES[name]
    settings = settings_for_tests(database_url, redis_url, **SETTINGS.get(name, {}))
    async with running_server(settings) as server:
        world = await make_world(server, f"push.{sorted(CAUSES).index(name)}")
        devices = [await person.device(namespaces=CONNECTED) for person in (world.me, world.friend)]
        comer = await server.person(f"comer.{world.me.username}")
        for device in devices:
            await device.do("/feed", "feed:subscribe")
            await device.do("/posts", "post:watch", {"post_id": world.values["post_id"]})
            await device.do("/chat", "presence:watch", {"user_ids": [comer.id]})
        await CAUSES[name](server, world)
        for device in devices:
            namespaces = HEARD_IN.get(name, CONNECTED if push.namespace == AUTH_NAMESPACE else (push.namespace,))
            for _ in namespaces:
                data = await device.expect_push(name)
                assert orjson.loads(encode_model(push.model.model_validate(data))) == data
                assert "viewer" not in set(fields_of(data))
            assert {heard.namespace for heard in device.heard if heard.name == name} == set(namespaces)
        if name in ("feed:new", "comment:created", "message:created", "receipt:updated"):
            one, other = ([heard.data for heard in device.heard if heard.name == name] for device in devices)
            assert one == other


@pytest.mark.parametrize("name", sorted(PUSHES))
def test_no_push_must_tell_of_who_hears_it(name: str) -> None:
    for schema in objects_of(PUSHES[name].model.model_json_schema(mode="serialization")):
        assert "viewer" not in schema.get("required", [])


def test_whatever_can_be_withdrawn_is_named_by_the_push_that_tells_of_it() -> None:
    unnamed = {push.name for push in PUSHES.values() if push.subjects_of is None and not push.volatile}
    assert unnamed == {"resync", "collection:changed", "feed:removed", "post:deleted", "comment:deleted"}


async def test_the_largest_things_are_pushed_whole(server: RunningServer) -> None:
    """Messages between nodes have a maximal size: a push that does not fit would be lost after the commit."""
    world = await make_world(server, "largest")
    profile = {"display_name": FOUR_BYTES * DISPLAY_NAME_CHARS, "bio": FOUR_BYTES * BIO_CHARS}
    await world.me.do("/users", "user:update", profile)
    hearer = await world.friend.device()
    await hearer.do("/feed", "feed:subscribe")
    link = "https://example.org/"
    post = {"text": FOUR_BYTES * POST_CHARS, "link": link + "x" * (LINK_CHARS - len(link))}
    made = await world.me.do("/posts", "post:create", post)
    heard = await hearer.expect_push("feed:new")
    assert heard["post"]["text"] == made["post"]["text"] == post["text"]
    assert heard["post"]["link"] == post["link"]
    message = {"conversation_id": world.values["conversation_id"], "text": FOUR_BYTES * MESSAGE_CHARS}
    await world.me.do("/chat", "message:send", message)
    assert (await hearer.expect_push("message:created"))["message"]["text"] == message["text"]


def fields_of(value: Any) -> Iterator[str]:
    """The names of all fields, at any depth."""
    if isinstance(value, dict):
        yield from value
        for content in value.values():
            yield from fields_of(content)
    elif isinstance(value, list):
        for content in value:
            yield from fields_of(content)


def objects_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [schema, *schema.get("$defs", {}).values()]

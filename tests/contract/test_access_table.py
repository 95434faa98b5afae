"""Runs the access table, cell by cell, on a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import orjson
import pytest

from realtime.contract.declarations import Command
from realtime.contract.rest import takes_body
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.access_rows import CALLERS, AccessRow, read_access_table
from tests.kit.server import NAMESPACES, PASSWORD, Person, RunningServer

UNKNOWN_ID = "1"
ROWS = read_access_table()


def names_object(field: str) -> bool:
    return field.endswith(("_id", "_ids")) and field != "client_id"


NAMING: dict[str, Command[Any, Any]] = {
    bound.command.name: bound.command
    for bound in Registry(FEATURES).commands()
    if any(names_object(field) for field in bound.command.payload.model_fields)
}


class Cast(NamedTuple):
    """The callers of the table, and another person. The owner and the member have a conversation."""

    owner: Person
    stranger: Person
    follower: Person
    blocked: Person
    muted: Person
    member: Person
    other: Person
    conversation_id: str


Thing = Callable[[RunningServer, Cast], Awaitable[Mapping[str, Any]]]


async def make_cast(server: RunningServer, prefix: str) -> Cast:
    names = ("owner", "stranger", "follower", "blocked", "muted", "member", "other")
    people = await server.people(*[f"{prefix}.{name}" for name in names])
    owner, stranger, follower, blocked, muted, member, other = people
    conversation_id = await talk(owner, member)
    await follower.do("/users", "user:follow", {"user_id": owner.id})
    await owner.do("/users", "user:block", {"user_id": blocked.id})
    await owner.do("/users", "user:mute", {"user_id": muted.id})
    return Cast(owner, stranger, follower, blocked, muted, member, other, conversation_id)


async def talk(person: Person, other: Person) -> str:
    answer = await person.do("/chat", "conversation:open", {"user_id": other.id})
    conversation_id: str = answer["conversation"]["id"]
    await person.do("/chat", "message:send", {"conversation_id": conversation_id, "text": "Hello"})
    return conversation_id


async def publish(author: Person, visibility: str = "public") -> dict[str, str]:
    """With a poll, so that every command on posts has something to do."""
    poll = {"options": ["One", "Other"], "closes_in_s": 3_600}
    answer = await author.do("/posts", "post:create", {"text": "A post", "poll": poll, "visibility": visibility})
    return {"post_id": answer["post"]["id"]}


async def comment(author: Person, post: dict[str, str]) -> str:
    answer = await author.do("/posts", "comment:create", {**post, "text": "A comment"})
    comment_id: str = answer["comment"]["id"]
    return comment_id


async def person(server: RunningServer, cast: Cast) -> dict[str, str]:
    return {"user_id": cast.owner.id}


async def several_people(server: RunningServer, cast: Cast) -> dict[str, list[str]]:
    return {"user_ids": [cast.owner.id, cast.other.id]}


async def login_session(server: RunningServer, cast: Cast) -> dict[str, str]:
    await server.rest("POST", "/auth/login", {"login": cast.owner.username, "password": PASSWORD})
    _, answer = await cast.owner.rest("GET", "/auth/sessions")
    return {"session_id": next(item["id"] for item in answer["data"]["items"] if not item["current"])}


async def public_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    return await publish(cast.owner)


async def followers_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    return await publish(cast.owner, "followers")


async def private_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    return await publish(cast.owner, "private")


async def deleted_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    post = await publish(cast.owner)
    await cast.owner.do("/posts", "post:delete", post)
    return post


async def reply(server: RunningServer, cast: Cast) -> dict[str, str]:
    post = await publish(cast.other)
    return {**post, "parent_id": await comment(cast.owner, post)}


async def reply_to_deleted(server: RunningServer, cast: Cast) -> dict[str, str]:
    place = await reply(server, cast)
    await cast.owner.do("/posts", "comment:delete", {"comment_id": place["parent_id"]})
    return place


async def own_comment(server: RunningServer, cast: Cast) -> dict[str, str]:
    return {"comment_id": await comment(cast.owner, await publish(cast.other))}


async def comment_on_public_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    return {"comment_id": await comment(cast.other, await publish(cast.owner))}


async def comment_on_followers_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    post = await publish(cast.owner)
    comment_id = await comment(cast.other, post)
    await cast.owner.do("/posts", "post:update", {**post, "visibility": "followers"})
    return {"comment_id": comment_id}


async def comment_on_private_post(server: RunningServer, cast: Cast) -> dict[str, str]:
    post = await publish(cast.owner)
    comment_id = await comment(cast.other, post)
    await cast.owner.do("/posts", "post:update", {**post, "visibility": "private"})
    return {"comment_id": comment_id}


async def conversation(server: RunningServer, cast: Cast) -> dict[str, str]:
    return {"conversation_id": cast.conversation_id}


async def conversation_with_blocked(server: RunningServer, cast: Cast) -> dict[str, str]:
    await cast.owner.do("/users", "user:unblock", {"user_id": cast.blocked.id})
    conversation_id = await talk(cast.owner, cast.blocked)
    await cast.owner.do("/users", "user:block", {"user_id": cast.blocked.id})
    return {"conversation_id": conversation_id}


async def person_who_talked_with_blocked(server: RunningServer, cast: Cast) -> dict[str, str]:
    await conversation_with_blocked(server, cast)
    return {"user_id": cast.owner.id}


THINGS: Mapping[str, Thing] = {
    "person": person,
    "people": several_people,
    "person who talked with the blocked before": person_who_talked_with_blocked,
    "login session": login_session,
    "public post": public_post,
    "followers post": followers_post,
    "private post": private_post,
    "deleted post": deleted_post,
    "comment to answer": reply,
    "deleted comment to answer": reply_to_deleted,
    "comment on another's post": own_comment,
    "another's comment on a public post": comment_on_public_post,
    "another's comment on a followers post": comment_on_followers_post,
    "another's comment on a private post": comment_on_private_post,
    "conversation": conversation,
    "conversation with the blocked": conversation_with_blocked,
}


def payload_of(command: Command[Any, Any], ids: Mapping[str, Any]) -> dict[str, Any]:
    """The command's example, with this object's id and no other."""
    payload = {**command.example, **ids}
    payload.pop("client_id", None)
    assert {field for field in payload if names_object(field)} == set(ids)
    return payload


async def call(
    server: RunningServer, cast: Cast, caller: str, command: Command[Any, Any], payload: dict[str, Any]
) -> dict[str, Any]:
    """The answer over a socket; an anonymous caller, who cannot get a socket, calls by REST where that is possible."""
    if caller == "anonymous":
        if not command.routes:
            return await connect_error(server, command.namespace)
        (route, *_) = command.routes
        rest = {field: value for field, value in payload.items() if f"{{{field}}}" not in route.path}
        has_body = takes_body(route)
        query = None if has_body else {field: str(value) for field, value in rest.items()}
        _, answer = await server.rest(
            route.method, route.path.format_map(payload), rest if has_body else None, query=query
        )
        return answer
    somebody: Person = getattr(cast, caller)
    if command.namespace in NAMESPACES:
        return await somebody.call(command.namespace, command.name, payload)
    device = await somebody.device(namespaces=[command.namespace])
    return await device.call(command.namespace, command.name, payload)


async def connect_error(server: RunningServer, namespace: str) -> dict[str, Any]:
    """A namespace's refusal of a socket without a token, in the form of an answer."""
    async with server.http.ws_connect(f"{server.url}/socket.io/?EIO=4&transport=websocket") as websocket:
        await websocket.receive_str()
        await websocket.send_str(f"40{namespace},{{}}")
        told = await websocket.receive_str(timeout=20)
    assert told.startswith(f"44{namespace},"), told
    return {"ok": False, "error": orjson.loads(told.partition(",")[2])["data"]}


def test_every_command_that_names_an_object_has_a_row() -> None:
    assert {row.command for row in ROWS} == set(NAMING)


def test_no_row_stands_twice() -> None:
    assert len({(row.command, row.thing) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("name", sorted(NAMING))
async def test_everybody_may_do_what_the_table_says_and_no_more(server: RunningServer, name: str) -> None:
    command = NAMING[name]
    cast = await make_cast(server, f"row.{sorted(NAMING).index(name)}")
    for row in (row for row in ROWS if row.command == name):
        answers: dict[str, str] = {}
        for caller in CALLERS:
            ids = await THINGS[row.thing](server, cast)
            answer = await call(server, cast, caller, command, payload_of(command, ids))
            answers[caller] = "ok" if answer["ok"] else answer["error"]["code"]
            if answers[caller] == "not_found":
                unknown = payload_of(command, dict.fromkeys(ids, UNKNOWN_ID))
                assert answer == await call(server, cast, caller, command, unknown), f"{caller} can tell {row} exists"
        assert AccessRow(row.command, row.thing, answers) == row

"""REST answers what the socket answers: the same data, the same errors, with the declared status."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from realtime.contract.declarations import Access, Command, Repeat, Route
from realtime.contract.rest import CALLER, caller_fields, takes_body
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.world import World, make_world
from tests.kit.positions import settled_cursor
from tests.kit.server import RunningServer

MOVING = frozenset({"server_time_ms", "position", "cursor"})
"""Fields that contain only the time of the answer."""

ID = re.compile(r"\d{15,19}")
CREDENTIALS = frozenset({"access_token", "refresh_token"})
HOW_ASKED = frozenset({"user_agent"})


class Twin(NamedTuple):
    command: Command[Any, Any]
    route: Route

    def __str__(self) -> str:
        return f"{self.command.name} {self.route.method} {self.route.path}"


TWINS = [Twin(bound.command, route) for bound in Registry(FEATURES).commands() for route in bound.command.routes]
READS = [twin for twin in TWINS if twin.command.repeat is Repeat.READ]
WRITES = [twin for twin in TWINS if twin.command.repeat is not Repeat.READ]
INVALID = {"surprise": "1"}


@pytest.mark.parametrize("twin", READS, ids=str)
async def test_a_read_answers_the_same_to_both(server: RunningServer, twin: Twin) -> None:
    world = await furnish(await make_world(server, f"read.{TWINS.index(twin)}"))
    payload = payload_for(twin, world)
    if "limit" in payload:
        payload = {**payload, "limit": 1}
        payload.pop("before", None)
    by_socket = await ask_socket(world, twin, payload)
    status, by_rest = await ask_rest(server, world, twin, payload)
    assert by_socket["ok"], by_socket
    assert status == twin.route.status
    assert without(by_rest, MOVING) == without(by_socket, MOVING)
    assert by_socket["data"].get("items", ["no list"]), "nothing was compared"


@pytest.mark.parametrize("twin", WRITES, ids=str)
async def test_a_write_does_and_answers_the_same_to_both(server: RunningServer, twin: Twin) -> None:
    names = [f"{place}.{TWINS.index(twin)}" for place in ("left", "right")]
    left, right = [await make_world(server, name) for name in names]
    by_socket = await ask_socket(left, twin, payload_for(twin, left))
    status, by_rest = await ask_rest(server, right, twin, payload_for(twin, right))
    assert by_socket["ok"], by_socket
    assert status == twin.route.status
    beside = {name: by_rest.pop(name) for name in twin.route.also_answers}
    assert beside == {name: by_rest["data"][name] for name in beside}
    assert neutral(by_rest, names[1]) == neutral(by_socket, names[0])
    assert neutral(await present(right), names[1]) == neutral(await present(left), names[0])


@pytest.mark.parametrize("twin", TWINS, ids=str)
async def test_a_refusal_is_the_same_to_both(server: RunningServer, twin: Twin) -> None:
    world = await make_world(server, f"bad.{TWINS.index(twin)}")
    payload = {**payload_for(twin, world), **INVALID}
    by_socket = await ask_socket(world, twin, payload)
    status, by_rest = await ask_rest(server, world, twin, payload)
    assert (status, by_socket["error"]["code"]) == (422, "invalid_payload")
    assert by_rest == by_socket


def test_no_two_commands_share_a_route() -> None:
    shapes = [(twin.route.method, re.sub(r"\{\w+\}", "{}", twin.route.path)) for twin in TWINS]
    assert len(set(shapes)) == len(shapes)


def test_every_placeholder_of_a_path_is_a_field() -> None:
    for twin in TWINS:
        fields = set(twin.command.payload.model_fields)
        assert set(re.findall(r"\{(\w+)\}", twin.route.path)) <= fields | {CALLER}, twin
        assert set(twin.route.renamed.values()) <= fields - set(twin.route.renamed), twin


def test_what_stands_beside_the_data_is_a_field_of_it() -> None:
    for twin in TWINS:
        assert set(twin.route.also_answers) <= twin.command.ack.model_fields.keys(), twin


def payload_for(twin: Twin, world: World) -> dict[str, Any]:
    """The command's payload, with the identifier that this path takes instead of the others."""
    payload = world.payload(twin.command)
    if twin.route.path.endswith("{username}"):
        return {"username": world.friend.username}
    return payload


async def ask_socket(world: World, twin: Twin, payload: dict[str, Any]) -> dict[str, Any]:
    device = await world.me.device(namespaces=[twin.command.namespace])
    return await device.call(twin.command.namespace, twin.command.name, payload)


async def ask_rest(
    server: RunningServer, world: World, twin: Twin, payload: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    route = twin.route
    rest = {field: value for field, value in payload.items() if f"{{{field}}}" not in route.path}
    rest |= dict.fromkeys(caller_fields(route, twin.command), world.me.id)
    token = None if twin.command.access is Access.ANYONE else world.me.access_token
    path = route.path.format_map({**payload, CALLER: world.me.id})
    if not takes_body(route):
        query = {field: str(value) for field, value in rest.items()}
        return await server.rest(route.method, path, query=query, token=token)
    return await server.rest(route.method, path, rest, token=token)


async def furnish(world: World) -> World:
    """Creates an entry for every list that can be read."""
    me, friend = world.me, world.friend
    post = {"post_id": world.values["post_id"]}
    await me.do("/users", "user:follow", {"user_id": friend.id})
    await friend.do("/users", "user:follow", {"user_id": me.id})
    after = await settled_cursor(me, "feed")
    for number in range(2):
        await friend.do("/posts", "post:create", {"text": f"Number {number}", "link": "https://example.org/"})
        await friend.do("/posts", "comment:create", {**post, "text": f"Comment {number}"})
    for person in (me, friend):
        await person.do("/posts", "post:like", post)
    await me.do("/posts", "bookmark:add", post)
    await me.do("/posts", "post:update", {**post, "text": "Edited"})
    return replace(world, values={**world.values, "after": after})


async def present(world: World) -> list[dict[str, Any]]:
    """What the friend can see of the caller's things; the caller may have been logged out."""
    paths = [
        f"/users/{world.me.id}",
        f"/users/{world.me.id}/followers",
        f"/users/{world.me.id}/following",
        f"/users/{world.me.id}/posts",
        f"/posts/{world.values['post_id']}/likes",
        f"/posts/{world.values['post_id']}/comments",
        f"/conversations/{world.values['conversation_id']}",
        f"/conversations/{world.values['conversation_id']}/messages",
    ]
    return [(await world.friend.rest("GET", path))[1] for path in paths]


def without(value: Any, fields: frozenset[str]) -> Any:
    return changed(value, lambda field, content: None if field in fields else content)


def neutral(value: Any, prefix: str) -> Any:
    """A form that is equal for two worlds with the same history: ids by order of occurrence, no names, no times."""
    ids: dict[str, str] = {}

    def replace(field: str, content: Any) -> Any:
        if field.endswith("_ms"):
            return "time"
        if field in CREDENTIALS or field in HOW_ASKED:
            return "differs"
        if isinstance(content, str):
            if ID.fullmatch(content):
                return ids.setdefault(content, f"id {len(ids)}")
            return content.replace(prefix, "world")
        return content

    return changed(value, replace)


def changed(value: Any, change: Callable[[str, Any], Any], field: str = "") -> Any:
    if isinstance(value, dict):
        return {name: changed(content, change, name) for name, content in value.items()}
    if isinstance(value, list):
        return [changed(content, change, field) for content in value]
    return change(field, value)

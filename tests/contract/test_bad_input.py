"""Bad input to every command, on sockets and REST: always a typed error, and nothing changes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from realtime.contract.declarations import Command, Route
from realtime.contract.rest import caller_fields
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.bad_payloads import BadPayload, bad_payloads
from tests.contract.world import World, fingerprint, make_world
from tests.kit.raw_socket import raw_socket
from tests.kit.server import RunningServer

COMMANDS = [bound.command for bound in Registry(FEATURES).commands()]
WITH_BODY = ("POST", "PUT", "PATCH")


def _named(command: Command[Any, Any]) -> str:
    return command.name


def _body_route(command: Command[Any, Any]) -> Route | None:
    return next((route for route in command.routes if route.method in WITH_BODY), None)


WITH_BODY_ROUTE = [command for command in COMMANDS if _body_route(command)]


async def _world(server: RunningServer, command: Command[Any, Any], transport: str) -> World:
    return await make_world(server, f"bad.{transport}.{COMMANDS.index(command)}")


@pytest.mark.parametrize("command", COMMANDS, ids=_named)
async def test_sockets_refuse_bad_input(server: RunningServer, database_url: str, command: Command[Any, Any]) -> None:
    world = await _world(server, command, "socket")
    before = await fingerprint(database_url)
    wrong = []
    async with raw_socket(server.http, server.url, world.me.access_token, [command.namespace]) as socket:
        for bad in bad_payloads(command, world.payload(command)):
            if not bad.is_json:
                continue
            answer = await socket.call(command.namespace, command.name, bad.body)
            wrong += _faults(bad, answer)
    assert not wrong
    assert await fingerprint(database_url) == before


@pytest.mark.parametrize("command", WITH_BODY_ROUTE, ids=_named)
async def test_rest_refuses_bad_input(server: RunningServer, database_url: str, command: Command[Any, Any]) -> None:
    route = _body_route(command)
    assert route is not None
    world = await _world(server, command, "rest")
    good = world.payload(command)
    in_path = {name for name in good if f"{{{name}}}" in route.path}
    path = route.path.format(**good)
    body_good = {name: value for name, value in good.items() if name not in in_path}
    before = await fingerprint(database_url)
    wrong = []
    for bad in bad_payloads(command, body_good):
        if any(bad.fault == f"without {name}" for name in in_path):
            continue
        headers = {"Authorization": f"Bearer {world.me.access_token}", "Content-Type": "application/json"}
        url = f"{server.url}/v1{path}"
        if _field_names(bad.body) & caller_fields(route, command):
            bad = bad._replace(answer="forbidden")
        async with server.http.request(route.method, url, data=bad.body, headers=headers) as response:
            wrong += _faults(bad, orjson.loads(await response.read()))
    assert not wrong
    assert await fingerprint(database_url) == before


def _field_names(body: bytes) -> set[str]:
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError:
        return set()
    return set(given) if isinstance(given, dict) else set()


def _faults(bad: BadPayload, answer: dict[str, Any]) -> list[str]:
    if answer["ok"]:
        return [f"{bad.fault}: taken"]
    code = answer["error"]["code"]
    if code != bad.answer:
        return [f"{bad.fault}: answered {code}"]
    if code == "invalid_payload" and not answer["error"].get("fields"):
        return [f"{bad.fault}: no field is named"]
    return []

"""How every command treats anonymous callers, callers above the rate limit, and repeated calls."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest
import socketio.exceptions

from realtime.contract.declarations import AUTH_NAMESPACE, Access, Command, Repeat
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.world import World, fingerprint, make_world
from tests.kit.raw_socket import raw_socket
from tests.kit.server import RunningServer, running_server, settings_for_tests

COMMANDS = [bound.command for bound in Registry(FEATURES).commands()]
FOR_PEOPLE = [command for command in COMMANDS if command.access is Access.PERSON]
NOTHING = b"[]"
ONE_CALL_EACH = 0.0001
SETTING = [command for command in COMMANDS if command.repeat is Repeat.SETS_STATE]
CREATING = [command for command in COMMANDS if command.repeat is Repeat.CLIENT_ID]


def _named(command: Command[Any, Any]) -> str:
    return command.name


@pytest.mark.parametrize("command", FOR_PEOPLE, ids=_named)
async def test_anonymous_callers_are_refused(server: RunningServer, command: Command[Any, Any]) -> None:
    if command.namespace == AUTH_NAMESPACE:
        device = await server.device(None, namespaces=[AUTH_NAMESPACE])
        answer = await device.call(AUTH_NAMESPACE, command.name, dict(command.example))
        assert answer["error"]["code"] == "unauthenticated"
    else:
        with pytest.raises(socketio.exceptions.ConnectionError):
            await server.device(None, namespaces=[command.namespace])
    for route in command.routes:
        path = route.path.format_map(defaultdict(lambda: "somebody", command.example))
        status, answer = await server.rest(route.method, path, dict(command.example) if route.method != "GET" else None)
        assert (status, answer["error"]["code"]) == (401, "unauthenticated"), route


async def test_every_command_refuses_the_call_after_its_limit(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as generous:
        me = await generous.person("limit.me")
    strict = settings_for_tests(database_url, redis_url, rate_limit_factor=ONE_CALL_EACH)
    async with running_server(strict) as server:
        namespaces = sorted({command.namespace for command in COMMANDS})
        async with raw_socket(server.http, server.url, me.access_token, namespaces) as socket:
            for command in COMMANDS:
                first = await socket.call(command.namespace, command.name, NOTHING)
                assert first["error"]["code"] == "invalid_payload", command.name
                second = await socket.call(command.namespace, command.name, NOTHING)
                assert second["error"]["code"] == "rate_limited", command.name
                assert second["error"]["retryable"] and second["error"]["retry_after_ms"] > 0
            first = await socket.call("/posts", "no:such", NOTHING)
            assert first["error"]["code"] == "unknown_command"
            assert (await socket.call("/posts", "no:other", NOTHING))["error"]["code"] == "rate_limited"


async def test_the_default_limits_hold_on_loopback(database_url: str, redis_url: str) -> None:
    register = next(command for command in COMMANDS if command.name == "auth:register")
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=1.0)) as server:
        codes = [
            (await server.rest("POST", "/auth/register", {}))[1]["error"]["code"]
            for _ in range(register.rate.count + 1)
        ]
    assert codes == ["invalid_payload"] * register.rate.count + ["rate_limited"]


@pytest.mark.parametrize("command", SETTING, ids=_named)
async def test_a_repeated_state_changes_nothing(
    server: RunningServer, database_url: str, command: Command[Any, Any]
) -> None:
    world = await _world(server, command)
    first = await _call(server, world, command)
    before = await fingerprint(database_url)
    assert first["ok"], first
    second = await _call(server, world, command)
    assert second["ok"] or second["error"]["code"] == "not_found", second
    assert await fingerprint(database_url) == before


@pytest.mark.parametrize("command", CREATING, ids=_named)
async def test_a_retry_is_answered_with_what_was_made(
    server: RunningServer, database_url: str, command: Command[Any, Any]
) -> None:
    world = await _world(server, command)
    payload = {**world.payload(command), "client_id": "retry-1"}
    first = await world.me.do(command.namespace, command.name, payload)
    before = await fingerprint(database_url)
    assert await world.me.do(command.namespace, command.name, payload) == first
    assert await fingerprint(database_url) == before
    changed = {**payload, "text": "something else"}
    assert (await world.me.call(command.namespace, command.name, changed))["error"]["code"] == "conflict"
    assert await fingerprint(database_url) == before


async def _world(server: RunningServer, command: Command[Any, Any]) -> World:
    return await make_world(server, f"call.{COMMANDS.index(command)}")


async def _call(server: RunningServer, world: World, command: Command[Any, Any]) -> dict[str, Any]:
    device = await world.me.device(namespaces=[command.namespace])
    return await device.call(command.namespace, command.name, world.payload(command))

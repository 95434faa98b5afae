"""Every error that a command declares can occur, on every transport; `conftest.py` checks that no other occurs."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from realtime.contract.declarations import Command
from realtime.contract.errors import ALWAYS_POSSIBLE
from realtime.contract.rest import CALLER, takes_body
from server.features import FEATURES
from server.pipeline.dispatch import Request
from server.pipeline.no_session import NO_SESSION
from server.pipeline.registry import Registry
from tests.contract.provocations import PROVOCATIONS, Attempt
from tests.contract.world import make_world
from tests.kit.log_watch import watched_log
from tests.kit.odd_feature import OddFeature
from tests.kit.server import RunningServer, running_server, settings_for_tests

COMMANDS = {bound.command.name: bound.command for bound in Registry(FEATURES).commands()}
ROWS = sorted(PROVOCATIONS)


def test_every_declared_error_has_a_row() -> None:
    declared = {(command.name, error.code) for command in COMMANDS.values() for error in command.errors}
    assert set(PROVOCATIONS) == declared


def test_nothing_is_declared_that_goes_without_saying() -> None:
    for command in COMMANDS.values():
        assert not set(command.errors) & set(ALWAYS_POSSIBLE), command.name
        assert len(set(command.errors)) == len(command.errors), command.name


@pytest.mark.parametrize(("name", "code"), ROWS, ids=lambda value: value)
async def test_what_is_declared_happens(server: RunningServer, name: str, code: str) -> None:
    command = COMMANDS[name]
    world = await make_world(server, f"err.{ROWS.index((name, code))}")
    attempt = await PROVOCATIONS[name, code](server, world, command)
    answer = await _answer(server, command, attempt)
    assert not answer["ok"] and answer["error"]["code"] == code, answer
    for route in command.routes:
        named = {field for field in attempt.payload if f"{{{field}}}" in route.path}
        if "{" in route.path and not named:
            continue  # this path identifies the object in another way
        rest = {field: value for field, value in attempt.payload.items() if field not in named}
        has_query = not takes_body(route)
        status, by_rest = await attempt.caller.rest(
            route.method,
            route.path.format_map({**attempt.payload, CALLER: "me"}),
            None if has_query else rest,
            query={field: str(value) for field, value in rest.items()} if has_query else None,
        )
        (declared,) = (error for error in command.errors if error.code == code)
        assert (status, by_rest) == (declared.status, answer), route


async def _answer(server: RunningServer, command: Command[Any, Any], attempt: Attempt) -> dict[str, Any]:
    if attempt.live:
        device = await attempt.caller.device(namespaces=[command.namespace])
        return await device.call(command.namespace, command.name, dict(attempt.payload))
    answer = await server.node.dispatcher.call(
        Request(
            namespace=command.namespace,
            name=command.name,
            payload=dict(attempt.payload),
            size_bytes=0,
            credentials=attempt.caller.access_token,
            address="127.0.0.1",
            user_agent=None,
            session=NO_SESSION,
        )
    )
    decoded: dict[str, Any] = orjson.loads(answer.body)
    return decoded


async def test_the_watch_over_undeclared_errors_sees_one(database_url: str, redis_url: str) -> None:
    features = (*FEATURES, OddFeature().feature())
    async with running_server(settings_for_tests(database_url, redis_url), features=features) as server:
        me = await server.person("undeclared")
        with capture_logs(), watched_log("undeclared_error", "command_failed") as seen:
            await me.rest("POST", "/odd/undeclared", {})
            await me.rest("POST", "/odd/crash", {})
    assert [line["event"] for line in seen] == ["undeclared_error", "command_failed"]

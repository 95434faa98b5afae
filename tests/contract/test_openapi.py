"""The OpenAPI document against a server: requests that Schemathesis generates from it get the answers that it tells."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.beyond_schemas import BEYOND_SCHEMAS, is_beyond_schemas
from tests.contract.world import World, make_world
from tests.house.checkout import CHECKOUT
from tests.kit.server import PASSWORD, RunningServer

HOOKS: Final = Path(__file__).with_name("schemathesis_hooks.py")
NEEDS_A_SECRET: Final = {"auth:refresh", "auth:logout", "auth:password", "user:delete"}
"""No request for these succeeds: they take a token that works once, or the password that the run logs in with."""

ENDLESS: Final = ["events_stream"]
"""A generated request would wait for an end that never comes; tests/server/transports/events/ has its requests."""

REFUSALS: Final = ["401", "403", "404", "405", "413", "414", "422", "431"]
"""Statuses of a request that does not fit its schema; those of what is too large are no defaults of Schemathesis."""

QUICK: Final = ("--phases=fuzzing,stateful", "--exclude-deprecated")

COMMANDS: Final = [bound.command for bound in Registry(FEATURES).commands() if bound.command.routes]


@pytest.mark.parametrize(
    ("examples", "options"),
    [
        pytest.param(
            2, ("--phases=fuzzing,stateful", "--exclude-deprecated"), id="some", marks=pytest.mark.timeout(180)
        ),
        pytest.param(100, (), id="many", marks=[pytest.mark.large, pytest.mark.timeout(600)]),
    ],
)
async def test_generated_requests_are_answered_as_documented(
    server: RunningServer, tmp_path: Path, examples: int, options: Sequence[str]
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text("\n".join(configuration(await make_world(server, "st"), examples)))
    arguments = ["--config-file", str(config), "run", f"{server.url}/openapi.json", *options]
    run = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "schemathesis.cli", *arguments),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        told, _ = await run.communicate()
    finally:
        if run.returncode is None:
            run.kill()
    assert run.returncode == 0, told.decode()
    succeeded = await commands_that_succeeded(server)
    assert {command.name for command in COMMANDS} - succeeded - NEEDS_A_SECRET == set(), told.decode()


def configuration(world: World, examples: int) -> Iterator[str]:
    """A configuration file of Schemathesis: who asks, and ids of what there is."""
    yield f"hooks = {toml(str(HOOKS))}"
    yield "continue-on-failure = true"
    yield f"generation = {{ deterministic = true, max-examples = {examples} }}"
    login = {"login": world.me.username, "password": PASSWORD}
    yield f"checks.negative_data_rejection.expected-statuses = {toml(REFUSALS)}"
    yield f"operations = [{{ include-operation-id = {toml(ENDLESS)}, enabled = false }}]"
    yield "[auth.dynamic.openapi.token]"
    yield 'path = "/auth/login"'
    yield 'extract_selector = "/data/access_token"'
    yield f"payload = {toml(login)}"
    for number, (place, (value, probability)) in enumerate(known_values(world).items()):
        yield f"[dictionaries.value{number}]\nvalues = [{toml(value)}]"
        yield f'[parameters."{place}"]\ndictionary = "value{number}"\nprobability = {probability}'


def known_values(world: World) -> Mapping[str, tuple[object, float]]:
    """Values of what exists, by the place of a request where they are sent, each with how often."""
    fields = {name for command in COMMANDS for name in command.payload.model_fields if name.endswith("_id")}
    ids = {name: value for name in sorted(fields) if isinstance(value := world.values.get(name), str)}
    return {
        **{f"{place}.{name}": (value, 0.5) for place in ("path", "body") for name, value in ids.items()},
        "path.caller_id": (world.me.id, 1.0),
        "path.username": (world.friend.username, 0.5),
        "body.login": (world.me.username, 0.5),
        "body.password": (PASSWORD, 0.9),
        "query.after": (world.values["after"], 1.0),
        "body.cursor": (world.values["after"], 1.0),
        "query.timeout_s": (0, 1.0),
    }


def toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {toml(one)}" for name, one in value.items()) + " }"
    return json.dumps(value)


async def commands_that_succeeded(server: RunningServer) -> set[str]:
    async with server.http.get(f"{server.url}/metrics") as response:
        text = await response.text()
    return {
        sample.labels["command"]
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "rookery_commands_total" and sample.labels["result"] == "ok" and sample.value
    }


async def test_each_rule_that_no_schema_tells_is_one_of_the_server(server: RunningServer) -> None:
    world = await make_world(server, "rules")
    conversation = f"/conversations/{world.values['conversation_id']}"
    account = {"username": "rules.new", "password": PASSWORD, "email": "rules.new@example.org"}
    asked: list[tuple[str, str, dict[str, Any], dict[str, str]]] = [
        ("POST", "/sync", {"cursor": "0"}, {}),
        ("POST", f"{conversation}/messages", {"text": "Hello", "reply_to_seq": 99}, {}),
        ("PUT", f"{conversation}/read", {"seq": 99}, {}),
        ("GET", f"{conversation}/messages?before_seq=1&after_seq=1", {}, {}),
        ("POST", "/posts", {"text": "Hello", "client_id": "a"}, {"Idempotency-Key": "b"}),
        ("POST", "/auth/register", {**account, "email": None, "phone": "123"}, {}),
        ("POST", "/auth/register", {**account, "email": "a..b@example.org"}, {}),
        ("POST", "/auth/register", {**account, "username": "ad_min"}, {}),
        ("POST", "/auth/register", {**account, "password": "password1"}, {}),
        ("POST", "/posts", {"text": "\u200b"}, {}),
        ("POST", "/posts", {"text": " ".join(f"#t{number}" for number in range(31))}, {}),
    ]
    unmet = set(BEYOND_SCHEMAS)
    for method, path, payload, headers in asked:
        _, answer = await server.rest(method, path, payload or None, token=world.me.access_token, headers=headers)
        faults = answer["error"]["fields"]
        assert is_beyond_schemas(faults), faults
        unmet -= {rule for rule in unmet for fault in faults.values() if re.fullmatch(rule, fault)}
    assert unmet == set()

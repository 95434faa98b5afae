"""Every example of the documents works as it stands there, with ids that exist, on sockets and over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple, TypeVar

import orjson
import pytest
from jsonschema import Draft202012Validator

from realtime.contract.declarations import Command
from server.documents.documents import Documents
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.world import World, make_world
from tests.kit.server import RunningServer

REGISTRY: Final = Registry(FEATURES)
COMMANDS: Final = [bound.command for bound in REGISTRY.commands()]
METHODS: Final = ("get", "post", "put", "patch", "delete")
AT_ONCE: Final = 8

Json = dict[str, Any]
Case = TypeVar("Case")


@pytest.fixture(scope="module")
def asyncapi() -> Json:
    document: Json = orjson.loads(Documents(REGISTRY).body("asyncapi.json"))
    return document


@pytest.fixture(scope="module")
def openapi() -> Json:
    document: Json = orjson.loads(Documents(REGISTRY).body("openapi.json"))
    return document


async def test_every_example_works_on_sockets(server: RunningServer, asyncapi: Json) -> None:
    operations = [one for one in asyncapi["operations"].values() if one["action"] == "receive"]
    assert {one["title"] for one in operations} == {command.name for command in COMMANDS}

    async def ask(operation: Json, world: World) -> list[str]:
        namespace = resolved(asyncapi, operation["channel"])["address"].replace("{namespace}", "users")
        (message,) = (resolved(asyncapi, one) for one in operation["messages"])
        (reply,) = (resolved(asyncapi, one) for one in operation["reply"]["messages"])
        (example,) = message["examples"]
        payload = with_values(example["payload"], world.values)
        device = await world.me.device(namespaces=[namespace])
        answer = await device.call(namespace, operation["title"], payload)
        return [
            *faults(asyncapi, message["payload"], payload),
            *faults(asyncapi, reply["payload"], answer),
            *([] if answer["ok"] else [str(answer)]),
        ]

    assert await faults_in_worlds(server, "socket", operations, ask) == []


def has_an_end(operation: Json) -> bool:
    """Not so a stream of events."""
    return not any("text/event-stream" in answer.get("content", {}) for answer in operation["responses"].values())


def fields(of_path: Iterable[Json], of_operation: Iterable[Json]) -> list[Json]:
    """The fields outside of the body; those of the operation stand for those of its path."""
    return list({(field["in"], field["name"]): field for field in [*of_path, *of_operation]}.values())


class Operation(NamedTuple):
    path: str
    method: str
    described: Json
    parameters: list[Json]


async def test_every_example_works_over_rest(server: RunningServer, openapi: Json) -> None:
    operations = [
        Operation(path, method, item[method], fields(item.get("parameters", ()), item[method].get("parameters", ())))
        for path, item in openapi["paths"].items()
        for method in METHODS
        if method in item and "servers" not in item and has_an_end(item[method])
    ]
    assert len(operations) >= sum(len(command.routes) for command in COMMANDS)

    async def ask(operation: Operation, world: World) -> list[str]:
        status, answer = await request(server, operation, world)
        response = operation.described["responses"].get(str(status), {})
        if status // 100 != 2 or not response:
            return [f"{status} {answer}"]
        return faults(openapi, response["content"]["application/json"]["schema"], answer)

    assert await faults_in_worlds(server, "rest", operations, ask) == []


async def request(server: RunningServer, operation: Operation, world: World) -> tuple[int, Json]:
    """The request of an operation with the examples of all its fields; those without an example are left out."""
    query, path = {}, operation.path
    for field in operation.parameters:
        if field["in"] == "path":
            path = path.replace(f"{{{field['name']}}}", str(value_in_path(field, world)))
        elif "example" in field:
            query[field["name"]] = str(world.values.get(field["name"], field["example"]))
    content = operation.described.get("requestBody", {}).get("content", {}).get("application/json")
    body = None if content is None else with_values(content["example"], world.values)
    token = world.me.access_token if {"token": []} in operation.described["security"] else None
    return await server.rest(operation.method.upper(), path, body, query=query, token=token)


def value_in_path(field: Json, world: World) -> Any:
    if field["name"] == "username":
        return world.friend.username
    if field.get("description", "").startswith("The caller's own id"):
        return field.get("example", world.me.id)
    return world.values.get(field["name"], field.get("example"))


def with_values(example: Mapping[str, Any], values: Mapping[str, Any]) -> Json:
    """An example with the values of what exists."""
    return {field: values.get(field, value) for field, value in example.items()}


def resolved(document: Json, ref: Mapping[str, Any]) -> Json:
    """What a reference leads to, through further ones."""
    found: Any = document
    for part in ref["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return resolved(document, found) if "$ref" in found else found


def faults(document: Json, schema: Mapping[str, Any], value: object) -> list[str]:
    validator = Draft202012Validator({**schema, "components": document["components"]})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_whole_number_may_be_written_as_a_fraction_in_every_field(command: Command[Any, Any]) -> None:
    schema = command.payload.model_json_schema()
    for field, content in schema.get("properties", {}).items():
        for option in content.get("anyOf", [content]):
            if option.get("type") == "integer":
                command.payload.model_validate({**command.example, field: float(option["minimum"])})


async def faults_in_worlds(
    server: RunningServer, prefix: str, cases: Iterable[Case], ask: Callable[[Case, World], Awaitable[list[str]]]
) -> list[str]:
    """What is wrong with each case, asked in a world of its own."""
    free = asyncio.Semaphore(AT_ONCE)

    async def found_in(number: int, case: Case) -> list[str]:
        async with free:
            world = await make_world(server, f"{prefix}.{number}")
            return [f"{case}: {fault}" for fault in await ask(case, world)]

    found = await asyncio.gather(*(found_in(number, case) for number, case in enumerate(cases)))
    return [fault for faults_of_case in found for fault in faults_of_case]

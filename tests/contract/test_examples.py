"""Every example of the documents works as it stands there, with ids that exist, on sockets and over REST."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import pytest

from realtime.contract.declarations import Command
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.contract.test_parity import TWINS, Twin, ask_rest, payload_for
from tests.contract.wire_validators import answer_faults, payload_faults
from tests.contract.world import World, make_world
from tests.kit.server import RunningServer

COMMANDS = [bound.command for bound in Registry(FEATURES).commands()]
AT_ONCE = 8

Case = TypeVar("Case")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_an_example_fits_the_schema_of_its_payload(command: Command[Any, Any]) -> None:
    assert payload_faults(command, command.example) == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_whole_number_may_be_written_as_a_fraction_in_every_field(command: Command[Any, Any]) -> None:
    schema = command.payload.model_json_schema()
    for field, content in schema.get("properties", {}).items():
        for option in content.get("anyOf", [content]):
            if option.get("type") == "integer":
                command.payload.model_validate({**command.example, field: float(option["minimum"])})


async def test_every_example_works_on_sockets(server: RunningServer) -> None:
    async def ask(command: Command[Any, Any], world: World) -> list[str]:
        payload = world.payload(command)
        device = await world.me.device(namespaces=[command.namespace])
        answer = await device.call(command.namespace, command.name, payload)
        return faults_of(command, payload, answer)

    assert await faults_in_worlds(server, "socket", COMMANDS, ask) == []


async def test_every_example_works_over_rest(server: RunningServer) -> None:
    async def ask(twin: Twin, world: World) -> list[str]:
        payload = payload_for(twin, world)
        status, answer = await ask_rest(server, world, twin, payload)
        return faults_of(twin.command, payload, answer) + ([] if status == twin.route.status else [f"is {status}"])

    assert await faults_in_worlds(server, "rest", TWINS, ask) == []


def faults_of(command: Command[Any, Any], payload: object, answer: dict[str, Any]) -> list[str]:
    if not answer["ok"]:
        return [str(answer["error"])]
    return payload_faults(command, payload) + answer_faults(command, answer["data"])


async def faults_in_worlds(
    server: RunningServer, prefix: str, cases: Iterable[Case], ask: Callable[[Case, World], Awaitable[list[str]]]
) -> list[str]:
    """What is wrong with each case, asked in a world of its own."""
    free = asyncio.Semaphore(AT_ONCE)

    async def faults(number: int, case: Case) -> list[str]:
        async with free:
            world = await make_world(server, f"{prefix}.{number}")
            return [f"{prefix} {number}: {fault}" for fault in await ask(case, world)]

    found = await asyncio.gather(*(faults(number, case) for number, case in enumerate(cases)))
    return [fault for faults_of_case in found for fault in faults_of_case]

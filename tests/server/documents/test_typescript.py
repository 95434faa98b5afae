"""`types.d.ts`: complete by the registry, and as strict as it should be by the compiler."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest
from pydantic import create_model

from handlers.feature import Feature
from realtime.contract.collections import CollectionChanged
from realtime.contract.declarations import Push
from realtime.contract.errors import CLOSE_REASONS, COMMON_ERRORS
from realtime.contract.wire import Model
from server.documents.openapi import openapi
from server.documents.typescript import type_declarations
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.journeys.javascript import FOLDER as JAVASCRIPT_FOLDER
from tests.journeys.javascript import node_with_packages
from tests.journeys.test_readme import snippet

REGISTRY = Registry(FEATURES)
TYPED_SOCKETS = {
    "const login = ": "const login: Socket<AuthPushes, AuthCommands> = ",
    "const feed = ": "const feed: Socket<FeedPushes, FeedCommands> = ",
}
IMPORTS = """\
import type { Socket } from "socket.io-client";
import type { AuthCommands, AuthPushes, FeedCommands, FeedPushes } from "rookery";
"""


@pytest.fixture(scope="module")
def declared() -> str:
    return type_declarations(REGISTRY)


async def test_right_uses_compile_and_wrong_ones_do_not(declared: str, tmp_path: Path) -> None:
    """Each wrong use in client.ts stands below an expectation, of which the compiler refuses those that are not met."""
    types, readme = tmp_path / "types.d.ts", tmp_path / "readme.ts"
    types.write_text(declared)
    readme.write_text(IMPORTS + with_typed_sockets(snippet("javascript")))
    packages = JAVASCRIPT_FOLDER / "node_modules"
    (tmp_path / "node_modules").symlink_to(packages)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    project = {
        "compilerOptions": {
            "strict": True,
            "exactOptionalPropertyTypes": True,
            "noEmit": True,
            "module": "nodenext",
            "target": "es2022",
            "lib": ["es2022", "dom"],
            "types": [],
            "paths": {"rookery": [str(types)]},
        },
        "files": [str(types), str(readme), str(JAVASCRIPT_FOLDER / "types" / "client.ts")],
    }
    (tmp_path / "tsconfig.json").write_text(json.dumps(project))
    compiler = await asyncio.create_subprocess_exec(
        node_with_packages(),
        packages / "typescript" / "bin" / "tsc",
        "--project",
        tmp_path,
        "--pretty",
        "false",
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await compiler.communicate()
    assert (output.decode(), compiler.returncode) == ("", 0)


def with_typed_sockets(code: str) -> str:
    """The client with the types of its two sockets, as somebody who uses TypeScript writes it."""
    for plain, typed in TYPED_SOCKETS.items():
        assert plain in code
        code = code.replace(plain, typed)
    return code


def test_every_command_and_push_stands_in_its_namespaces(declared: str) -> None:
    for bound in REGISTRY.commands():
        command = bound.command
        name = "CommandsEverywhere" if command.any_namespace else f"{command.namespace[1:].title()}Commands"
        assert f'\n  "{command.name}": ' in interface(declared, name)
    for push in REGISTRY.pushes.values():
        everywhere = "*" in push.also_in
        for namespace in (push.namespace, *push.also_in):
            name = "PushesEverywhere" if everywhere else f"{namespace[1:].title()}Pushes"
            assert f'\n  "{push.name}": ' in interface(declared, name)


def test_the_sentences_of_the_declarations_are_the_comments(declared: str) -> None:
    said = " ".join(declared.replace("*", " ").split())
    sentences = [bound.command.effect for bound in REGISTRY.commands()]
    sentences += [push.audience for push in REGISTRY.pushes.values()]
    sentences += [collection.holds for collection in REGISTRY.collections.values()]
    sentences += [error.message for error in COMMON_ERRORS]
    assert [sentence for sentence in sentences if " ".join(sentence.split()) not in said] == []


def test_every_route_code_and_collection_is_there(declared: str) -> None:
    routes = [f"{route.method} {route.path}" for bound in REGISTRY.commands() for route in bound.command.routes]
    assert re.findall(r'^  "(\w+ /\S+)":', interface(declared, "RestRoutes"), re.MULTILINE) == sorted(
        routes, key=lambda route: route.split()[::-1]
    )
    for close in CLOSE_REASONS:
        assert f"  /** {close.reason}: " in declared and f"\n  | {close.code}" in declared
    for name in REGISTRY.collections:
        assert f"\n  {name}: " in interface(declared, "Collections")


def test_it_needs_nothing_else(declared: str) -> None:
    code = re.sub(r"^//.*$", "", declared, flags=re.MULTILINE)
    assert not re.search(r"^\s*(?:import|///)", code, re.MULTILINE)


def test_a_collection_that_is_told_to_devices_is_told_by_its_items(declared: str) -> None:
    told = [name for name, collection in REGISTRY.collections.items() if collection.told_to_devices]
    assert "[Name in " + " | ".join(map(json.dumps, told)) + "]" in declared
    assert f"interface {CollectionChanged.__name__} " not in declared


@pytest.mark.parametrize(
    ("name", "method", "path", "status"),
    [("PolledEvents", "get", "/events", "200"), ("StreamTicket", "post", "/events/ticket", "201")],
)
def test_what_is_of_no_command_has_the_fields_of_openapi(
    declared: str, name: str, method: str, path: str, status: str
) -> None:
    answer = openapi(REGISTRY)["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    data = answer["properties"]["data"]
    fields = {
        field: optional == "?" for field, optional in re.findall(r"^  (\w+)(\??):", interface(declared, name), re.M)
    }
    assert fields == {field: field not in data["required"] for field in data["properties"]}


def test_two_types_of_one_name_are_refused() -> None:
    answer = create_model("Answer", __base__=Model, text=(str, ...))
    push = Push(name="answered", namespace="/quiz", model=answer, audience="Everybody.")
    with pytest.raises(ValueError, match="Answer"):
        type_declarations(Registry([Feature(name="quiz", commands=(), pushes=(push,))]))


def interface(text: str, name: str) -> str:
    found = re.search(rf"^export interface {name}\b.*?^}}$", text, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return found[0]

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from realtime.contract.errors import CLOSE_REASONS, COMMON_ERRORS
from server.documents.asyncapi import EVERYWHERE, asyncapi
from server.documents.asyncapi_messages import key_of
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.journeys.javascript import FOLDER, node_with_packages

REGISTRY = Registry(FEATURES)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi(REGISTRY)


def test_the_official_parser_finds_every_command_and_push_and_no_fault(document: dict[str, Any]) -> None:
    parsed = subprocess.run(
        [node_with_packages(), "asyncapi.mjs"],
        cwd=FOLDER,
        input=json.dumps(document),
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(parsed.stdout)
    assert told["faults"] == []
    commands = {key_of(bound.command.name) for bound in REGISTRY.commands()}
    assert commands <= set(told["operations"])
    for push in REGISTRY.pushes.values():
        assert any(name.endswith(f"_{key_of(push.name)}") for name in told["operations"]), push.name


def test_channels_are_the_namespaces(document: dict[str, Any]) -> None:
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {*REGISTRY.namespaces, "/{namespace}"}
    assert {"sync_pull", "auth_renew", "collection_changed", "resync"} <= document["channels"][EVERYWHERE][
        "messages"
    ].keys()


def test_a_push_stands_in_each_of_its_namespaces(document: dict[str, Any]) -> None:
    for namespace in ("posts", "feed"):
        assert "post_updated" in document["channels"][namespace]["messages"]


def test_examples_are_of_their_schemas(document: dict[str, Any]) -> None:
    for message in document["components"]["messages"].values():
        for example in message.get("examples", ()):
            schema = {**message["payload"], "components": document["components"]}
            Draft202012Validator(schema).validate(example["payload"])


def test_the_tables_have_every_error_close_and_collection(document: dict[str, Any]) -> None:
    assert [one["code"] for one in document["x-errors"]] == [one.code for one in COMMON_ERRORS]
    assert [one["code"] for one in document["x-closes"]] == [one.code for one in CLOSE_REASONS]
    assert document["x-collections"].keys() == REGISTRY.collections.keys()

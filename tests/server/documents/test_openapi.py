from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from realtime.contract.declarations import Access, Route
from realtime.contract.rest import path_fields
from server.documents.openapi import openapi
from server.documents.openapi_operations import excluded_by
from server.documents.sentences import possible_errors
from server.features import FEATURES
from server.pipeline.registry import Registry

ROUTES = [(route, bound.command) for bound in Registry(FEATURES).commands() for route in bound.command.routes]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi(Registry(FEATURES))


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_every_route_is_described_with_all_that_it_may_answer(document: dict[str, Any]) -> None:
    for route, command in ROUTES:
        operation = described(document, route)[1]
        statuses = {str(error.status) for error in possible_errors(command)}
        assert {str(route.status), *statuses} <= operation["responses"].keys(), (route.method, route.path)
        assert operation["security"] == ([{"token": []}] if command.access is Access.PERSON else [{}])
        assert operation["summary"] == command.effect


def test_every_field_of_a_payload_has_its_place(document: dict[str, Any]) -> None:
    for route, command in ROUTES:
        path, operation = described(document, route)
        named = {one["name"] for one in [*path.get("parameters", ()), *operation.get("parameters", ())]}
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if "$ref" in body:
            body = document["components"]["schemas"][body["$ref"].rpartition("/")[2]]
        fields = named | body.get("properties", {}).keys()
        elsewhere = excluded_by(path_fields(route), command.payload.model_json_schema())
        assert command.payload.model_fields.keys() - elsewhere <= fields, (route.method, route.path)


def test_examples_are_of_their_schemas(document: dict[str, Any]) -> None:
    count = 0
    for path in document["paths"].values():
        for operation in (path[method] for method in ("get", "post", "put", "patch", "delete") if method in path):
            for content in operation.get("requestBody", {}).get("content", {}).values():
                if "example" in content:
                    schema = {**content["schema"], "components": document["components"]}
                    Draft202012Validator(schema).validate(content["example"])
                    count += 1
    assert count > 20


def test_a_path_of_older_clients_names_the_present_one(document: dict[str, Any]) -> None:
    older = document["paths"]["/posts/{post_id}/like"]["post"]
    assert older["deprecated"]
    assert "Newer clients use `POST /posts/{post_id}/likes`." in older["description"]


def test_paths_that_differ_only_in_names_are_one(document: dict[str, Any]) -> None:
    shapes = [re.sub(r"\{\w+\}", "{}", path) for path in document["paths"]]
    assert len(set(shapes)) == len(shapes)
    path = document["paths"]["/users/{user_id}"]
    assert path["put"]["operationId"] == "user_update_3"
    assert path["put"]["parameters"][0]["description"] == "The caller's own id."
    assert path["parameters"][0] != path["put"]["parameters"][0]


def described(document: dict[str, Any], route: Route) -> tuple[dict[str, Any], dict[str, Any]]:
    """The path and the operation of a route, whatever the fields of its path are called."""
    shape = re.sub(r"\{\w+\}", "{}", route.path)
    (path,) = (item for name, item in document["paths"].items() if re.sub(r"\{\w+\}", "{}", name) == shape)
    return path, path[route.method.lower()]

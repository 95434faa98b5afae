from __future__ import annotations

from typing import Any

from handlers.accounts.contract import AUTH_LOGIN
from handlers.chat.contract import LIST_MESSAGES
from handlers.comments.contract import COMMENT_CREATE
from handlers.people.contract import USER_FOLLOWERS, USER_GET
from handlers.posts.contract import POST_CREATE, POST_LIKE, POST_UNLIKE, POST_UPDATE
from realtime.contract.declarations import Command
from realtime.contract.rest import CALLER, path_fields
from server.documents.openapi_next_requests import NextRequests
from server.documents.openapi_operations import Operations, path_parameter, without_fields
from server.documents.wire_schemas import WireSchemas
from server.features import FEATURES
from server.pipeline.registry import Registry

REGISTRY = Registry(FEATURES)
SCHEMAS = WireSchemas(REGISTRY)


def described(command: Command[Any, Any], place: int = 0) -> dict[str, Any]:
    return Operations(SCHEMAS, NextRequests(REGISTRY, SCHEMAS)).of_route(command.routes[place], command)


def test_what_creates_takes_an_idempotency_key() -> None:
    assert [one["name"] for one in described(POST_CREATE)["parameters"]] == ["Idempotency-Key"]
    assert "parameters" not in described(POST_LIKE)


def test_a_body_without_the_fields_of_the_path() -> None:
    body = described(COMMENT_CREATE)["requestBody"]
    schema = body["content"]["application/json"]["schema"]
    assert "post_id" not in schema["properties"]
    assert schema["required"] == ["text"]
    assert body["required"]
    assert "post_id" not in body["content"]["application/json"]["example"]


def test_a_body_may_be_left_out_where_only_the_path_is_needed() -> None:
    assert not described(POST_UPDATE)["requestBody"]["required"]


def test_a_route_that_finds_a_thing_by_another_field_is_not_deprecated() -> None:
    (place,) = [place for place, route in enumerate(USER_GET.routes) if "{username}" in route.path]
    assert "deprecated" not in described(USER_GET, place)
    assert described(POST_LIKE, 1)["deprecated"]


def test_a_form_is_taken_in_both_encodings() -> None:
    (place,) = [place for place, route in enumerate(AUTH_LOGIN.routes) if route.form_ignores is not None]
    content = described(AUTH_LOGIN, place)["requestBody"]["content"]
    assert content["multipart/form-data"] == content["application/x-www-form-urlencoded"]


def test_a_command_that_needs_nothing_has_no_body() -> None:
    assert "requestBody" not in described(POST_LIKE)


def test_what_is_read_takes_its_fields_from_the_query_where_null_cannot_be_said() -> None:
    parameters = {one["name"]: one["schema"] for one in described(USER_FOLLOWERS)["parameters"]}
    meaning = parameters["limit"].pop("description")
    assert parameters["limit"] == {"type": "integer", "minimum": 1, "maximum": 100}
    assert meaning.startswith("How many items")


def test_a_field_that_the_one_in_the_path_excludes_is_not_taken_from_the_query() -> None:
    by_id, by_name = (described(USER_GET, place) for place in range(2))
    assert "parameters" not in by_id and "parameters" not in by_name
    messages = {one["name"] for one in described(LIST_MESSAGES)["parameters"]}
    assert {"before_seq", "after_seq"} <= messages


def test_a_form_has_its_own_names_and_ignored_fields() -> None:
    (place,) = [place for place, route in enumerate(AUTH_LOGIN.routes) if route.form_ignores is not None]
    operation = described(AUTH_LOGIN, place)
    form = operation["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    assert set(form["required"]) == {"username", "password"}
    assert form["properties"]["grant_type"]["description"] == "Ignored."
    answer = operation["responses"]["200"]["content"]["application/json"]["schema"]
    assert {"access_token", "token_type"} <= set(answer["required"])


def test_another_person_in_the_place_of_the_caller_is_forbidden() -> None:
    (place,) = [place for place, route in enumerate(POST_UNLIKE.routes) if CALLER in path_fields(route)]
    assert "403" in described(POST_UNLIKE, place)["responses"]
    assert "403" not in described(POST_UNLIKE)["responses"]
    assert path_parameter("caller_id", POST_UNLIKE, SCHEMAS)["example"] == "me"


def test_each_response_names_its_codes_once() -> None:
    operations = Operations(SCHEMAS, NextRequests(REGISTRY, SCHEMAS))
    for command in (POST_CREATE, POST_LIKE):
        operations.of_route(command.routes[0], command)
    told = operations.responses["UnauthenticatedOrTokenExpired"]["description"]
    assert told.startswith("`unauthenticated`: ")
    assert "Retry-After" in operations.responses["RateLimited"]["headers"]


def test_a_schema_without_its_only_required_field_requires_none() -> None:
    payload = {"type": "object", "properties": {"a": {}, "b": {}}, "required": ["a"]}
    assert without_fields(payload, {"a"}) == {"type": "object", "properties": {"b": {}}}

"""No change breaks the clients of the released version, and each kind of break is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from server.documents.asyncapi import asyncapi
from server.documents.compatibility.breaks import breaks, may_break
from server.documents.openapi import openapi
from server.features import FEATURES
from server.pipeline.registry import Registry

REGISTRY = Registry(FEATURES)
MAKERS = {"asyncapi.json": asyncapi, "openapi.json": openapi}
Document = dict[str, Any]
Change = Callable[[Document], object]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    return {name: orjson.loads(orjson.dumps(make(REGISTRY))) for name, make in MAKERS.items()}


def schema(document: Document, name: str) -> Document:
    found: Document = document["components"]["schemas"][name]
    return found


def field(document: Document, model: str, name: str) -> Document:
    found: Document = schema(document, model)["properties"][name]
    return found


def operation(document: Document, method: str, path: str) -> Document:
    found: Document = document["paths"][path][method]
    return found


def test_the_same_documents_break_nothing(documents: dict[str, Document]) -> None:
    for name, document in documents.items():
        assert breaks(name, document, copy.deepcopy(document)) == []


BREAKS: list[tuple[str, str, Change]] = [
    ("asyncapi.json", "the command post:get is gone", lambda new: new["operations"].pop("post_get")),
    ("asyncapi.json", "the push feed:new is gone", lambda new: new["operations"].pop("feed_feed_new")),
    (
        "asyncapi.json",
        "post:updated does not come in /feed",
        lambda new: new["operations"].pop("feed_post_updated"),
    ),
    ("asyncapi.json", "the Collection feed is gone", lambda new: new["x-collections"].pop("feed")),
    ("asyncapi.json", "the error conflict is gone", lambda new: new["x-errors"].pop(5)),
    ("asyncapi.json", "the close code 4001 is gone", lambda new: new["x-closes"].pop(0)),
    (
        "asyncapi.json",
        "post:get: the error not_found is gone",
        lambda new: codes_of(new, "post_get").remove("not_found"),
    ),
    (
        "asyncapi.json",
        "post:get: the limit calls_in_a_minute is lower than 600",
        lambda new: new["components"]["messages"]["post_get"]["x-limits"].update(calls_in_a_minute=599),
    ),
    (
        "asyncapi.json",
        "post:get: the limit bytes is lower than 65536",
        lambda new: new["components"]["messages"]["post_get"]["x-limits"].update(bytes=65_535),
    ),
    (
        "asyncapi.json",
        "post:like: of the answer, like_count is not there",
        lambda new: (
            schema(new, "LikeAck")["properties"].pop("like_count")
            and schema(new, "LikeAck")["required"].remove("like_count")
        ),
    ),
    (
        "asyncapi.json",
        "post:like: of the answer, like_count may be absent",
        lambda new: schema(new, "LikeAck")["required"].remove("like_count"),
    ),
    (
        "asyncapi.json",
        "post:like: of the answer, like_count may be string",
        lambda new: field(new, "LikeAck", "like_count").update(type="string"),
    ),
    (
        "asyncapi.json",
        "feed:new: of the push, post.visibility may be 'nobody'",
        lambda new: field(new, "Post", "visibility")["enum"].append("nobody"),
    ),
    (
        "asyncapi.json",
        "feed: of its items, version may be absent",
        lambda new: schema(new, "Post")["required"].remove("version"),
    ),
    (
        "asyncapi.json",
        "post:create: of what clients send, visibility may be 'private', and is refused",
        lambda new: field(new, "CreatePost", "visibility")["enum"].remove("private"),
    ),
    (
        "asyncapi.json",
        "post:create: of what clients send, client_id is not allowed, and is refused",
        lambda new: schema(new, "CreatePost")["properties"].pop("client_id"),
    ),
    (
        "asyncapi.json",
        "comment:create: of what clients send, client_id may be absent, and is refused",
        lambda new: schema(new, "CreateComment")["required"].append("client_id"),
    ),
    (
        "asyncapi.json",
        "comment:create: of what clients send, text may be beyond the maxLength of 9, and is refused",
        lambda new: field(new, "CreateComment", "text").update(maxLength=9),
    ),
    ("openapi.json", "the route GET /feed is gone", lambda new: new["paths"].pop("/feed")),
    ("openapi.json", "the route POST /posts is gone", lambda new: new["paths"]["/posts"].pop("post")),
    ("openapi.json", "the prefix /api/v1 is gone", lambda new: new["servers"].pop()),
    (
        "openapi.json",
        "POST /auth/login: strangers may not call it any more",
        lambda new: operation(new, "post", "/auth/login").update(security=[{"token": []}]),
    ),
    (
        "openapi.json",
        "GET /feed: limit in the query is gone",
        lambda new: operation(new, "get", "/feed")["parameters"].remove(parameter(new, "/feed", "limit")),
    ),
    (
        "openapi.json",
        "GET /feed: limit in the query is needed now",
        lambda new: parameter(new, "/feed", "limit").update(required=True),
    ),
    (
        "openapi.json",
        "GET /feed: limit in the query: it may be beyond the maximum of 50, and is refused",
        lambda new: parameter(new, "/feed", "limit")["schema"].update(maximum=50),
    ),
    (
        "openapi.json",
        "POST /auth/jwt/login: a body of application/x-www-form-urlencoded is not taken any more",
        lambda new: operation(new, "post", "/auth/jwt/login")["requestBody"]["content"].pop(
            "application/x-www-form-urlencoded"
        ),
    ),
    (
        "openapi.json",
        "PATCH /users/me: a body is needed now",
        lambda new: operation(new, "patch", "/users/me")["requestBody"].update(required=True),
    ),
    (
        "openapi.json",
        "POST /posts: of the body, link is not allowed, and is refused",
        lambda new: schema(new, "CreatePost")["properties"].pop("link"),
    ),
    (
        "openapi.json",
        "POST /posts: the status 201 is gone",
        lambda new: operation(new, "post", "/posts")["responses"].pop("201"),
    ),
    (
        "openapi.json",
        "GET /posts/{post_id}: the status 404 is gone",
        lambda new: operation(new, "get", "/posts/{post_id}")["responses"].pop("404"),
    ),
    (
        "openapi.json",
        "GET /feed: the error token_expired is gone",
        lambda new: codes_of_response(new, operation(new, "get", "/feed"), "401").remove("token_expired"),
    ),
    (
        "openapi.json",
        "GET /posts/{post_id}: of the answer, data.post.text may be absent",
        lambda new: schema(new, "Post")["required"].remove("text"),
    ),
    (
        "openapi.json",
        "POST /auth/jwt/login: of the answer, access_token is not there",
        lambda new: [
            answer["properties"].pop("access_token") and answer["required"].remove("access_token")
            for answer in [
                operation(new, "post", "/auth/jwt/login")["responses"]["200"]["content"]["application/json"]["schema"]
            ]
        ],
    ),
]


def codes_of(document: Document, command: str) -> list[str]:
    failed = document["components"]["messages"][f"{command}_answer"]["payload"]["oneOf"][1]
    found: list[str] = failed["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
    return found


def codes_of_response(document: Document, operation: Document, status: str) -> list[str]:
    name = operation["responses"][status]["$ref"].rpartition("/")[2]
    failed = document["components"]["responses"][name]["content"]["application/json"]["schema"]
    found: list[str] = failed["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
    return found


def parameter(document: Document, path: str, name: str) -> Document:
    parameters: list[Document] = operation(document, "get", path)["parameters"]
    return next(one for one in parameters if one["name"] == name)


@pytest.mark.parametrize(("name", "told", "change"), BREAKS, ids=[told for _, told, _ in BREAKS])
def test_a_break_is_found(documents: dict[str, Document], name: str, told: str, change: Change) -> None:
    new = copy.deepcopy(documents[name])
    change(new)
    found = breaks(name, documents[name], new)
    assert told in found, found
    assert breaks(name, documents[name], {**new, "info": {"version": "0.2.0"}}) == [], "another version may"


ADDITIONS: list[tuple[str, Change]] = [
    ("asyncapi.json", lambda new: schema(new, "Post")["properties"].update(mood={"type": "string"})),
    ("asyncapi.json", lambda new: schema(new, "Post")["properties"]["id"].update(description="Its id.")),
    ("asyncapi.json", lambda new: schema(new, "CreatePost")["properties"].update(mood={"type": "string"})),
    ("asyncapi.json", lambda new: field(new, "CreateComment", "text").update(maxLength=9_000)),
    ("asyncapi.json", lambda new: codes_of(new, "post_get").append("conflict")),
    ("asyncapi.json", lambda new: schema(new, "CreateComment")["required"].remove("text")),
    ("openapi.json", lambda new: new["paths"].update({"/new": {"get": operation(new, "get", "/feed")}})),
    ("openapi.json", lambda new: operation(new, "get", "/feed")["parameters"].append({"name": "new", "in": "query"})),
    ("openapi.json", lambda new: operation(new, "get", "/feed")["responses"].update({"418": {}})),
]


@pytest.mark.parametrize(("name", "change"), ADDITIONS)
def test_an_addition_breaks_nothing(documents: dict[str, Document], name: str, change: Change) -> None:
    new = copy.deepcopy(documents[name])
    change(new)
    assert new != documents[name]
    assert breaks(name, documents[name], new) == []


@pytest.mark.parametrize(
    ("old", "new", "may"),
    [
        ("0.1.0", "0.1.0", False),
        ("0.1.0", "0.1.1", False),
        ("0.1.0", "0.2.0", True),
        ("0.9.0", "0.10.0", True),
        ("0.9.0", "1.0.0", True),
        ("1.0.0", "1.1.0", False),
        ("1.9.0", "2.0.0", True),
        ("2.0.0", "1.0.0", False),
    ],
)
def test_the_version_says_whether_it_may_break_clients(old: str, new: str, may: bool) -> None:
    assert may_break(old, new) is may

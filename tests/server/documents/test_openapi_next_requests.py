from __future__ import annotations

from handlers.accounts.contract import AUTH_REGISTER
from handlers.chat.contract import OPEN, SEND
from handlers.comments.contract import COMMENT_CREATE
from handlers.posts.contract import POST_CREATE, POST_UPDATE
from server.documents.openapi_next_requests import NextRequests, operation_id
from server.documents.wire_schemas import WireSchemas
from server.features import FEATURES
from server.pipeline.registry import Registry

REGISTRY = Registry(FEATURES)
NEXT_REQUESTS = NextRequests(REGISTRY, WireSchemas(REGISTRY))


def test_what_is_created_leads_to_what_takes_its_id() -> None:
    (route,) = POST_CREATE.routes
    found = NEXT_REQUESTS.of_route(route, POST_CREATE)
    assert found["post_like"] == {
        "operationId": "post_like",
        "parameters": {"post_id": "$response.body#/data/post/id"},
    }
    assert {"post_get", "post_update", "post_delete", "comment_create"} <= found.keys()
    assert NEXT_REQUESTS.of_route(OPEN.routes[0], OPEN).keys() >= {"message_send", "message_read"}
    found = NEXT_REQUESTS.of_route(COMMENT_CREATE.routes[0], COMMENT_CREATE)
    assert found.keys() == {"comment_update", "comment_like", "comment_unlike", "comment_delete"}


def test_what_creates_nothing_that_a_path_names_leads_nowhere() -> None:
    for command in (POST_UPDATE, SEND, AUTH_REGISTER):
        assert [NEXT_REQUESTS.of_route(route, command) for route in command.routes] == [{}] * len(command.routes)


def test_operations_are_named_as_their_commands() -> None:
    names = [operation_id(route, POST_UPDATE) for route in POST_UPDATE.routes]
    assert names == ["post_update", "post_update_2"]

from __future__ import annotations

from typing import Any

import pytest

from handlers.people.contract import USER_GET, USER_UPDATE
from handlers.posts.contract import POST_LIKERS, POST_UNLIKE, POST_UPDATED
from realtime.contract.declarations import Command
from server.documents.wire_schemas import WireSchemas
from server.features import FEATURES
from server.pipeline.registry import Registry


@pytest.fixture(scope="module")
def schemas() -> WireSchemas:
    return WireSchemas(Registry(FEATURES))


def properties(schemas: WireSchemas, command: Command[Any, Any]) -> dict[str, Any]:
    described: dict[str, Any] = schemas.named(schemas.answer(command))[1]["properties"]
    return described


def test_each_payload_answer_push_and_item_is_described(schemas: WireSchemas) -> None:
    registry = Registry(FEATURES)
    refs = [
        *(schemas.payload(bound.command) for bound in registry.commands()),
        *(schemas.answer(bound.command) for bound in registry.commands()),
        *map(schemas.push, registry.pushes.values()),
        *map(schemas.item, registry.collections.values()),
    ]
    assert {schemas.named(ref)[0] for ref in refs} <= schemas.components.keys()


def test_ids_are_decimal_strings_in_both_directions(schemas: WireSchemas) -> None:
    _, payload = schemas.named(schemas.payload(POST_UNLIKE))
    sent, answered = payload["properties"]["post_id"], properties(schemas, POST_UNLIKE)["post_id"]
    assert sent == answered
    assert answered["type"] == "string"


def test_what_may_be_missing_in_an_answer_is_absent_and_never_null(schemas: WireSchemas) -> None:
    _, answer = schemas.named(schemas.answer(POST_UNLIKE))
    assert answer["properties"]["like_count"] == {"type": "integer"}
    assert "like_count" not in answer["required"]


def test_what_is_always_sent_is_required_though_it_has_a_default(schemas: WireSchemas) -> None:
    assert {"muted", "requested"} <= set(schemas.components["UserViewer"]["required"])


def test_a_client_may_send_null_for_an_optional_field(schemas: WireSchemas) -> None:
    _, payload = schemas.named(schemas.payload(USER_UPDATE))
    assert {"type": "null"} in payload["properties"]["bio"]["anyOf"]


def test_unknown_fields_are_refused_in_payloads_and_allowed_in_answers(schemas: WireSchemas) -> None:
    assert schemas.named(schemas.payload(USER_GET))[1]["additionalProperties"] is False
    assert "additionalProperties" not in schemas.named(schemas.push(POST_UPDATED))[1]


def test_generic_models_have_readable_names(schemas: WireSchemas) -> None:
    assert schemas.named(schemas.answer(POST_LIKERS))[0] == "PageOfUser"

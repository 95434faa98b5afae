from __future__ import annotations

from handlers.accounts.contract import AUTH_LOGIN
from handlers.chat.contract import MESSAGE_CREATED
from handlers.posts.contract import POST_LIKE
from realtime.contract.connection_pushes import SERVER_DRAINING
from server.documents.asyncapi_messages import Messages, key_of
from server.documents.wire_schemas import WireSchemas
from server.features import FEATURES
from server.pipeline.registry import Registry

SCHEMAS = WireSchemas(Registry(FEATURES))


def test_a_command_has_a_payload_and_an_answer_with_its_errors() -> None:
    messages = Messages(SCHEMAS)
    messages.add_command("/posts", POST_LIKE)
    assert messages.messages["post_like"]["payload"] == SCHEMAS.payload(POST_LIKE)
    done, failed = messages.messages["post_like_answer"]["payload"]["oneOf"]
    assert done["properties"]["data"] == SCHEMAS.answer(POST_LIKE)
    codes = failed["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
    assert {"not_found", "unauthenticated", "rate_limited"} <= set(codes)
    assert "forbidden" not in codes


def test_it_says_who_may_call() -> None:
    messages = Messages(SCHEMAS)
    messages.add_command("/auth", AUTH_LOGIN)
    messages.add_command("/posts", POST_LIKE)
    assert "Anybody" in messages.operations["auth_login"]["description"]
    assert "Anybody" not in messages.operations["post_like"]["description"]


def test_it_says_what_becomes_of_a_push_for_who_is_away() -> None:
    messages = Messages(SCHEMAS)
    messages.add_push("/chat", MESSAGE_CREATED)
    messages.add_push("/auth", SERVER_DRAINING)
    assert "`conversation:position`" in messages.operations["chat_message_created"]["description"]
    assert "not kept" in messages.operations["auth_server_draining"]["description"]


def test_names_become_keys() -> None:
    assert (key_of("/chat"), key_of("post:like")) == ("chat", "post_like")

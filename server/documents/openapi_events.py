"""The paths of OpenAPI by which pushes come: long-polling, the stream, and tickets for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from realtime.contract.errors import (
    INVALID_PAYLOAD,
    RATE_LIMITED,
    TOKEN_EXPIRED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    ErrorCode,
)
from realtime.contract.rest import EVENT_CALLS, EVENT_WAIT_S, TICKET_TTL_S
from server.documents.envelope import failure_with, success_with
from server.documents.sentences import rate_sentence

_JSON: Final = "application/json"
_LIMIT: Final = f"{rate_sentence(EVENT_CALLS)} Polls, streams and tickets are counted together."


def _refused(*errors: ErrorCode) -> dict[str, Any]:
    return {
        "description": " ".join(f"`{error.code}`: {error.message}" for error in errors),
        "content": {_JSON: {"schema": failure_with([error.code for error in errors])}},
    }


_REFUSALS: Final = {
    "401": _refused(UNAUTHENTICATED, TOKEN_EXPIRED),
    "429": _refused(RATE_LIMITED),
    "503": _refused(UNAVAILABLE),
}
_REFUSED_REQUESTS: Final = {"406": _refused(INVALID_PAYLOAD), "422": _refused(INVALID_PAYLOAD)}


def _text_field(place: str, name: str, told: str) -> dict[str, Any]:
    return {"name": name, "in": place, "schema": {"type": "string"}, "description": told}


def _object(required: Sequence[str], **optional: Any) -> dict[str, Any]:
    """An object of texts, and of other fields with their schemas."""
    texts = {name: {"type": "string"} for name in required if name not in optional}
    return {"type": "object", "required": list(required), "properties": {**texts, **optional}}


_EVENT: Final = _object(
    ("id", "namespace", "name", "data"),
    data={"type": "object", "description": "As `/asyncapi.json` describes this push."},
)

_POLL: Final = {
    "operationId": "events",
    "summary": "Waits for the pushes that a socket of this user would get, and answers those since a cursor.",
    "description": (
        "Without a cursor it answers at once with one. With one it answers at once where there is something, else when "
        "something comes or the time is over. A cursor that cannot be continued from is answered with `resync` and a "
        f"new cursor: catch up by `POST /sync` then. {_LIMIT}"
    ),
    "tags": ["events"],
    "security": [{"token": []}],
    "parameters": [
        _text_field("query", "cursor", "As the last answer had it."),
        {
            "name": "timeout_s",
            "in": "query",
            "schema": {"type": "integer", "minimum": 0, "maximum": 9999, "default": EVENT_WAIT_S},
            "description": f"How long to wait at most; more than {EVENT_WAIT_S} counts as {EVENT_WAIT_S}.",
        },
    ],
    "responses": {
        "200": {
            "description": "The pushes, in their order, and the cursor for the next call.",
            "content": {
                _JSON: {
                    "schema": success_with(
                        _object(
                            ("events", "cursor"), events={"type": "array", "items": _EVENT}, resync={"const": "all"}
                        )
                    )
                }
            },
        },
        **_REFUSALS,
        **_REFUSED_REQUESTS,
    },
}

_STREAM: Final = {
    "operationId": "events_stream",
    "summary": "Sends the pushes that a socket of this user would get, as Server-Sent Events.",
    "description": (
        "The first event is `cursor`, with nothing but its id. The id of each event is a cursor, the name that of the "
        "push, the data `{id, namespace, name, data}`. A cursor that cannot be continued from is told by the event "
        f"`resync`. The last event is `close`, with `code`, `reason` and `reconnect`. {_LIMIT}"
    ),
    "tags": ["events"],
    "security": [{"token": []}, {}],
    "parameters": [
        _text_field("query", "cursor", "The id of the last event."),
        _text_field("query", "ticket", "Of `POST /events/ticket`, in the place of a token."),
        _text_field("header", "Last-Event-ID", "The same as `cursor`."),
    ],
    "responses": {
        "200": {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **_REFUSALS,
        **_REFUSED_REQUESTS,
    },
}

_TICKET: Final = {
    "operationId": "events_ticket",
    "summary": "Makes a ticket for a stream, for clients that cannot send headers.",
    "description": f"It is good once, for {TICKET_TTL_S} s. {_LIMIT}",
    "tags": ["events"],
    "security": [{"token": []}],
    "responses": {
        "201": {
            "description": "The ticket.",
            "content": {
                _JSON: {"schema": success_with(_object(("ticket", "expires_in_s"), expires_in_s={"type": "integer"}))}
            },
        },
        **_REFUSALS,
    },
}

EVENT_PATHS: Final[Mapping[str, Any]] = {
    "/events": {"get": _POLL},
    "/events/stream": {"get": _STREAM},
    "/events/ticket": {"post": _TICKET},
}

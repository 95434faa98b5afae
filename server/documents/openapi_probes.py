"""The paths of OpenAPI that are of no command: long-polling, and what operators watch."""

from __future__ import annotations

from typing import Any, Final

_ROOT: Final = [{"url": "/"}]
_FAILURE: Final = {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}


def _failures(**meanings: str) -> dict[str, Any]:
    return {status[1:]: {"description": meaning, "content": _FAILURE} for status, meaning in meanings.items()}


def _probe(name: str, told: str, answers: dict[str, str]) -> dict[str, Any]:
    return {
        "servers": _ROOT,
        "get": {
            "operationId": name,
            "summary": told,
            "tags": ["operations"],
            "responses": {
                status: {"description": meaning, "content": {"application/json": {"schema": {"type": "object"}}}}
                for status, meaning in answers.items()
            },
        },
    }


_REFUSALS: Final = _failures(
    _401="`unauthenticated`, `token_expired`",
    _422="`invalid_payload`",
    _429="`rate_limited`",
    _503="`unavailable`",
)
_EVENT: Final = {
    "type": "object",
    "required": ["id", "namespace", "name", "data"],
    "properties": {
        "id": {"type": "string"},
        "namespace": {"type": "string", "examples": ["/chat"]},
        "name": {"type": "string", "examples": ["message:created"]},
        "data": {"type": "object", "description": "As `/asyncapi.json` describes this push."},
    },
}

_POLL: Final = {
    "operationId": "events",
    "summary": "Waits for the pushes that a socket of this user would get, and answers those since a cursor.",
    "description": (
        "Without a cursor it answers at once with one. With one it answers at once where there is something, else when "
        "something comes or the time is over. A cursor that cannot be continued from is answered with `resync` and a "
        "new cursor: catch up by `POST /sync` then. Limit: 300 calls in 60 s."
    ),
    "tags": ["events"],
    "security": [{"token": []}],
    "parameters": [
        {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "As the last answer had it."},
        {
            "name": "timeout_s",
            "in": "query",
            "schema": {"type": "integer", "minimum": 0, "maximum": 9999, "default": 50},
            "description": "How long to wait at most; more than 50 counts as 50.",
        },
    ],
    "responses": {
        "200": {
            "description": "The pushes, in their order, and the cursor for the next call.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["ok", "data"],
                        "properties": {
                            "ok": {"const": True},
                            "data": {
                                "type": "object",
                                "required": ["events", "cursor"],
                                "properties": {
                                    "events": {"type": "array", "items": _EVENT},
                                    "cursor": {"type": "string"},
                                    "resync": {"const": "all"},
                                },
                            },
                        },
                    }
                }
            },
        },
        **_REFUSALS,
    },
}

_STREAM: Final = {
    "operationId": "events_stream",
    "summary": "Sends the pushes that a socket of this user would get, as Server-Sent Events.",
    "description": (
        "The first event is `cursor`, with nothing but its id. The id of each event is a cursor, the name that of the "
        "push, the data `{id, namespace, name, data}`. A cursor "
        "that cannot be continued from is told by the event `resync`. The last event is `close`, with `code`, `reason` "
        "and `reconnect`. Limit: 300 calls in 60 s."
    ),
    "tags": ["events"],
    "security": [{"token": []}, {}],
    "parameters": [
        {"name": "cursor", "in": "query", "schema": {"type": "string"}, "description": "The id of the last event."},
        {
            "name": "ticket",
            "in": "query",
            "schema": {"type": "string"},
            "description": "Of `POST /events/ticket`, in the place of a token.",
        },
        {"name": "Last-Event-ID", "in": "header", "schema": {"type": "string"}, "description": "The same as `cursor`."},
    ],
    "responses": {
        "200": {"description": "The stream.", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
        **_REFUSALS,
    },
}

_TICKET: Final = {
    "operationId": "events_ticket",
    "summary": "Makes a ticket for a stream, for clients that cannot send headers. It is good once.",
    "tags": ["events"],
    "security": [{"token": []}],
    "responses": {
        "201": {
            "description": "The ticket.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["ok", "data"],
                        "properties": {
                            "ok": {"const": True},
                            "data": {
                                "type": "object",
                                "required": ["ticket", "expires_in_s"],
                                "properties": {"ticket": {"type": "string"}, "expires_in_s": {"type": "integer"}},
                            },
                        },
                    }
                }
            },
        },
        **{status: answer for status, answer in _REFUSALS.items() if status != "422"},
    },
}

OTHER_PATHS: Final[dict[str, Any]] = {
    "/events": {"get": _POLL},
    "/events/stream": {"get": _STREAM},
    "/events/ticket": {"post": _TICKET},
    "/health": _probe("health", "Whether this process is alive.", {"200": "It is."}),
    "/ready": _probe(
        "ready",
        "Whether this process can serve: its dependencies answer, and it is not stopping.",
        {"200": "It can.", "503": "It cannot; the answer says why."},
    ),
}

"""`openapi.json`: the REST API in OpenAPI 3.1, for generators of clients, test tools and viewers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from realtime.contract.errors import COMMON_ERRORS
from realtime.contract.rest import API_PREFIXES, path_fields
from server.documents.openapi_operations import Operations, path_parameter
from server.documents.openapi_probes import OTHER_PATHS
from server.documents.wire_schemas import WireSchemas
from server.pipeline.registry import Registry
from server.version import VERSION

_DESCRIPTION: Final = (
    "The commands of Rookery over HTTP: payloads, answers and errors are those of the sockets, which `/asyncapi.json` "
    "describes.\n\n"
    "Every answer is `{ok: true, data}` or `{ok: false, error}`; nothing of what failed was done. Ids are decimal "
    "strings, times are milliseconds since 1970. A field that is not there is absent, never null. Answers may get new "
    "fields in later versions.\n\n"
    "Pushes come by `GET /events`, for clients that cannot hold a socket open."
)


def openapi(registry: Registry) -> dict[str, Any]:
    """The document. Paths stand in the order of their namespaces and commands."""
    schemas = WireSchemas(registry)
    operations = Operations(schemas)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for bound in registry.commands():
        for route in bound.command.routes:
            path = paths[route.path]
            path[route.method.lower()] = operations.of_route(route, bound.command)
            parameters = [path_parameter(name, bound.command, schemas) for name in path_fields(route)]
            if parameters:
                path.setdefault("parameters", parameters)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rookery",
            "version": VERSION,
            "summary": "Feeds, chat and notifications over sockets and HTTP.",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {"url": API_PREFIXES[0]},
            *({"url": prefix, "description": "The same, for older clients."} for prefix in API_PREFIXES[1:]),
        ],
        "tags": [{"name": name, "description": f"Commands of the namespace `/{name}`."} for name in _tags(registry)],
        "paths": {**paths, **OTHER_PATHS},
        "components": {
            "schemas": {
                **schemas.components,
                "ErrorCode": _error_codes(),
                "CommandError": _COMMAND_ERROR,
                "Failure": _FAILURE,
            },
            "responses": operations.responses,
            "headers": _HEADERS,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token, as `POST /auth/login` answers it.",
                }
            },
        },
    }


def _tags(registry: Registry) -> list[str]:
    named = {bound.command.namespace.removeprefix("/") for bound in registry.commands() if bound.command.routes}
    return sorted(named)


def _error_codes() -> dict[str, Any]:
    meanings = "\n".join(f"- `{error.code}` ({error.status}): {error.message}" for error in COMMON_ERRORS)
    return {
        "type": "string",
        "enum": [error.code for error in COMMON_ERRORS],
        "description": f"Why a command failed. A code never changes its meaning.\n\n{meanings}",
    }


_COMMAND_ERROR: Final = {
    "type": "object",
    "required": ["code", "message", "retryable"],
    "properties": {
        "code": {"$ref": "#/components/schemas/ErrorCode"},
        "message": {"type": "string", "description": "For developers, in English."},
        "retryable": {"type": "boolean", "description": "Whether the very same call may succeed later."},
        "retry_after_ms": {"type": "integer", "description": "How long to wait before that."},
        "fields": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "What is wrong, by the path of the field (`text`, `settings.theme`).",
        },
    },
}
_FAILURE: Final = {
    "type": "object",
    "required": ["ok", "error"],
    "properties": {"ok": {"const": False}, "error": {"$ref": "#/components/schemas/CommandError"}},
}
_HEADERS: Final = {
    "Retry-After": {"description": "Whole seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "WWW-Authenticate": {"description": "The scheme of the token.", "schema": {"const": "Bearer"}},
}

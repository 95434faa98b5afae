"""`openapi.json`: the REST API in OpenAPI 3.1, for generators of clients, test tools and viewers."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

from realtime.contract.rest import API_PREFIXES, PLACEHOLDER, path_fields
from server.documents.envelope import FAILURE_SCHEMAS
from server.documents.openapi_events import EVENT_PATHS
from server.documents.openapi_next_requests import NextRequests
from server.documents.openapi_operations import Operations, path_parameter
from server.documents.openapi_probes import PROBE_PATHS
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
    operations = Operations(schemas, NextRequests(registry, schemas))
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    written: dict[str, str] = {}
    for bound in registry.commands():
        for route in bound.command.routes:
            # Paths that differ in nothing but placeholders are one path to OpenAPI, with the names of the first.
            template = written.setdefault(PLACEHOLDER.sub("{}", route.path), route.path)
            operation = operations.of_route(route, bound.command)
            parameters = [
                path_parameter(name, bound.command, schemas, called=called)
                for name, called in zip(path_fields(route), PLACEHOLDER.findall(template), strict=True)
            ]
            path = paths[template]
            if parameters and path.setdefault("parameters", parameters) != parameters:
                operation["parameters"] = [*parameters, *operation.get("parameters", ())]
            path[route.method.lower()] = operation
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
        "paths": {**paths, **EVENT_PATHS, **PROBE_PATHS},
        "components": {
            "schemas": {**schemas.components, **FAILURE_SCHEMAS},
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


_HEADERS: Final = {
    "Retry-After": {"description": "Whole seconds to wait.", "schema": {"type": "integer", "minimum": 0}},
    "ETag": {"description": "Names this state of the answer.", "schema": {"type": "string"}},
    "Link": {
        "description": 'Of a list with a next page: its address, with `rel="next"`.',
        "schema": {"type": "string"},
    },
    "WWW-Authenticate": {"description": "The scheme of the token.", "schema": {"const": "Bearer"}},
}

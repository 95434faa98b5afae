"""`asyncapi.json`: the sockets in AsyncAPI 3.0, as the server sees them: it receives commands and sends pushes."""

from __future__ import annotations

from typing import Any, Final

from realtime.contract.collections import Collection
from realtime.contract.declarations import AUTH_NAMESPACE, EVERY_NAMESPACE
from realtime.contract.errors import CLOSE_REASONS, COMMON_ERRORS
from server.documents.asyncapi_messages import Messages, key_of
from server.documents.envelope import FAILURE_SCHEMAS
from server.documents.wire_schemas import WireSchemas
from server.pipeline.registry import Registry
from server.version import VERSION

EVERYWHERE: Final = "everywhere"
"""The channel of what is the same in every namespace."""

_DESCRIPTION: Final = (
    "Commands, their answers and pushes over Socket.IO (protocol 5, Engine.IO 4), for official clients. A command is "
    "an event with one object, and is always answered: `{ok: true, data}` or `{ok: false, error}`; with `ok`, what it "
    "did is stored. A push is a hint, delivered at most once and in the order of its room; `sync:pull` tells whatever "
    "was missed. Its last argument, where it is a string, is the offset that official clients keep for recovery.\n\n"
    "Clients that cannot hold a socket open get the same pushes by `GET /v1/events`, or as Server-Sent Events by "
    "`GET /v1/events/stream`, and call commands over REST "
    "(`/openapi.json`).\n\n"
    "Ids are decimal strings, times are milliseconds since 1970. A field that is not there is absent, never null. What "
    "the server sends may get new fields in later versions."
)
_SERVERS: Final = {
    "websocket": ("ws", "/socket.io/", "Socket.IO over WebSocket, in JSON."),
    "polling": ("http", "/socket.io/", "Socket.IO over HTTP long-polling, in JSON."),
    "msgpack": ("ws", "/socket.io-msgpack/", "The same in msgpack, for `socket.io-msgpack-parser`."),
}
_CONNECT: Final = {
    "type": "object",
    "description": "`auth` of the CONNECT to a namespace. The first one with a token makes the connection that user's.",
    "properties": {
        "token": {"type": "string", "description": f"An access token; only `{AUTH_NAMESPACE}` takes callers without."},
        "recovery": {
            "type": "boolean",
            "description": "Asks for connection state recovery: what is missed in a short absence comes afterwards.",
        },
        "pid": {"type": "string", "description": "The official client's own, for recovery."},
        "offset": {"type": "string", "description": "The official client's own, for recovery."},
    },
}


def asyncapi(registry: Registry) -> dict[str, Any]:
    """The document. Channels are namespaces; `x-collections`, `x-errors` and `x-closes` are tables beside it."""
    messages = Messages(WireSchemas(registry))
    for bound in registry.commands():
        command = bound.command
        messages.add_command(EVERYWHERE if command.any_namespace else command.namespace, command)
    for push in registry.pushes.values():
        namespaces = (push.namespace, *push.also_in)
        for namespace in (EVERYWHERE,) if EVERY_NAMESPACE in namespaces else namespaces:
            messages.add_push(namespace, push)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Rookery",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            name: {
                "host": "{host}",
                "protocol": protocol,
                "pathname": path,
                "description": told,
                "variables": {"host": {"default": "localhost:8000"}},
                "security": [{"$ref": "#/components/securitySchemes/token"}],
            }
            for name, (protocol, path, told) in _SERVERS.items()
        },
        "channels": _channels(registry, messages),
        "operations": messages.operations,
        "components": {
            "schemas": {**messages.schemas.components, **FAILURE_SCHEMAS, "ConnectAuth": _CONNECT},
            "messages": messages.messages,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token of `auth:login`, as `token` in `auth` of the CONNECT.",
                }
            },
        },
        "x-connect": {"$ref": "#/components/schemas/ConnectAuth"},
        "x-collections": {
            name: _collection(one, messages.schemas) for name, one in sorted(registry.collections.items())
        },
        "x-errors": [
            {"code": one.code, "status": one.status, "retryable": one.retryable, "meaning": one.message}
            for one in COMMON_ERRORS
        ],
        "x-closes": [
            {
                "code": one.code,
                "reason": one.reason,
                "meaning": one.meaning,
                "reconnect": one.reconnect,
                "resumable": one.resumable,
            }
            for one in CLOSE_REASONS
        ],
    }


def _channels(registry: Registry, messages: Messages) -> dict[str, Any]:
    channels: dict[str, Any] = {
        key_of(namespace): {
            "address": namespace,
            "title": f"The namespace `{namespace}`",
            "messages": messages.of_channel(namespace),
        }
        for namespace in registry.namespaces
    }
    channels[EVERYWHERE] = {
        "address": "/{namespace}",
        "title": "Every namespace",
        "description": "What is called and pushed in every namespace in the same way.",
        "parameters": {"namespace": {"enum": [name.removeprefix("/") for name in registry.namespaces]}},
        "messages": messages.of_channel(EVERYWHERE),
    }
    return channels


def _collection(collection: Collection[Any], schemas: WireSchemas) -> dict[str, Any]:
    return {
        "holds": collection.holds,
        "read_anew": collection.read_anew,
        "told_by_collection_changed": collection.told_to_devices,
        "item": schemas.item(collection),
    }

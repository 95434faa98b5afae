"""What the console on the page knows of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from realtime.contract.declarations import Command
from server.documents.wire_schemas import WireSchemas
from server.pipeline.registry import Registry


def console_json(registry: Registry, demo_login: str) -> bytes:
    """Every command with its routes and payload, the names of pushes and Collections, and the schemas of all models.

    `demo_login` is `username:password` of an account that everybody may use, or empty.
    """
    schemas = WireSchemas(registry)
    username, _, password = demo_login.partition(":")
    return orjson.dumps(
        {
            "namespaces": registry.namespaces,
            "commands": [_command(bound.command, schemas) for bound in registry.commands()],
            "collections": list(registry.collections),
            "schemas": schemas.components,
            "demo": {"username": username, "password": password} if demo_login else None,
        }
    )


def _command(command: Command[Any, Any], schemas: WireSchemas) -> Mapping[str, object]:
    return {
        "name": command.name,
        "namespace": command.namespace,
        "access": command.access.value,
        "effect": command.effect,
        "example": command.example,
        "payload": schemas.named(schemas.payload(command))[0],
        "routes": [{"method": route.method, "path": route.path} for route in command.routes],
    }

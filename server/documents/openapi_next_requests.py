"""The links of OpenAPI: which requests take the id of what a request has created."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from realtime.contract.declarations import Access, Command, Route
from realtime.contract.rest import path_fields
from realtime.contract.wire import ID_PATTERN
from server.documents.wire_schemas import WireSchemas
from server.pipeline.registry import Registry


def operation_id(route: Route, command: Command[Any, Any]) -> str:
    """The command's name; of its older routes with what tells them apart."""
    name = command.name.replace(":", "_")
    if route is command.routes[0]:
        return name
    return f"{name}_{command.routes.index(route) + 1}"


class NextRequests:
    """Leads from what creates a `post` to all operations with `{post_id}` in their path."""

    def __init__(self, registry: Registry, schemas: WireSchemas) -> None:
        self._schemas = schemas
        self._takers: Mapping[str, list[str]] = defaultdict(list)
        for command in (bound.command for bound in registry.commands()):
            for route in command.routes[:1]:
                for name in path_fields(route):
                    self._takers[name].append(operation_id(route, command))

    def of_route(self, route: Route, command: Command[Any, Any]) -> dict[str, Any]:
        """By the operations that the answer leads to; empty for a command that creates nothing."""
        if route.method != "POST" or command.access is not Access.PERSON:
            return {}
        return {
            taker: {"operationId": taker, "parameters": {f"{thing}_id": f"$response.body#/data/{thing}/id"}}
            for thing in self._things(command)
            if f"{thing}_id" not in command.payload.model_fields
            for taker in self._takers.get(f"{thing}_id", ())
        }

    def _things(self, command: Command[Any, Any]) -> Sequence[str]:
        """The fields of the answer that hold an object with an id."""
        fields = self._schemas.named(self._schemas.answer(command))[1].get("properties", {})
        models = {name: self._schemas.named(value)[1] for name, value in fields.items() if "$ref" in value}
        return [
            name
            for name, model in models.items()
            if model.get("properties", {}).get("id", {}).get("pattern") == ID_PATTERN
        ]

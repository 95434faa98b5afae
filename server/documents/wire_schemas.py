"""JSON Schemas of all that travels: payloads, answers, pushes, items of Collections."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from realtime.contract.collections import Collection
from realtime.contract.declarations import Command, Push
from server.pipeline.registry import Registry

REF_TEMPLATE = "#/components/schemas/{model}"
"""Where both OpenAPI and AsyncAPI keep schemas."""

_Direction = Literal["validation", "serialization"]
_FIELD_WRAPPERS = frozenset({"default", "function-before", "function-after", "function-plain", "function-wrap"})


class WireSchemas:
    """The schemas of everything that a registry declares.

    `components` has each model once, by its name; `payload`, `answer`, `push` and `item` refer to it as `{"$ref": …}`.
    A client sends what the schema of a payload allows and nothing else. What the server sends may get new fields in
    later versions: its schemas allow others; a field that is not required there is absent, never null.
    """

    def __init__(self, registry: Registry) -> None:
        refs, described = models_json_schema(
            list(dict.fromkeys(_models(registry))), ref_template=REF_TEMPLATE, schema_generator=_WireSchema
        )
        self._refs = refs
        self.components: Mapping[str, dict[str, Any]] = described["$defs"]

    def payload(self, command: Command[Any, Any]) -> dict[str, Any]:
        return self._refs[command.payload, "validation"]

    def answer(self, command: Command[Any, Any]) -> dict[str, Any]:
        return self._refs[command.ack, "serialization"]

    def push(self, push: Push[Any]) -> dict[str, Any]:
        return self._refs[push.model, "serialization"]

    def item(self, collection: Collection[Any]) -> dict[str, Any]:
        return self._refs[collection.item, "serialization"]

    def named(self, ref: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
        """The name and the schema that a reference of this registry means."""
        name = ref["$ref"].removeprefix(REF_TEMPLATE.format(model=""))
        return name, self.components[name]


def _models(registry: Registry) -> Iterator[tuple[type[BaseModel], _Direction]]:
    for bound in registry.commands():
        yield bound.command.payload, "validation"
        yield bound.command.ack, "serialization"
    for push in registry.pushes.values():
        yield push.model, "serialization"
    for collection in registry.collections.values():
        yield collection.item, "serialization"


class _WireSchema(GenerateJsonSchema):
    """pydantic's schemas, without titles, and of what is sent as `encode_model` sends it: without None."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        described.pop("title", None)
        origin = schema["cls"].__pydantic_generic_metadata__["origin"]
        if origin is not None and origin.__doc__:
            described = {"description": inspect.cleandoc(origin.__doc__), **described}
        if self.mode == "serialization":
            described.pop("additionalProperties", None)
        return described

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        described = super().dict_schema(schema)
        if "patternProperties" in described:
            described.pop("propertyNames", None)  # the pattern says it
            if self.mode == "validation":
                described["additionalProperties"] = False
        return described

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(re.sub(r"\[(\w+)\]", r"Of\1", name))

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return (
            self.generate_inner(schema["schema"]) if self.mode == "serialization" else super().nullable_schema(schema)
        )

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if self.mode == "serialization" or schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def field_is_required(self, field: Any, total: bool) -> bool:
        if self.mode == "serialization":
            return not _is_nullable(field["schema"])
        return super().field_is_required(field, total)


def _is_nullable(schema: Any) -> bool:
    while schema["type"] in _FIELD_WRAPPERS:
        schema = schema["schema"]
    return bool(schema["type"] == "nullable")

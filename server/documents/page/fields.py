"""Tables of fields: what a JSON Schema of a payload or an answer says, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from realtime.contract.wire import ID_PATTERN
from server.documents.wire_schemas import REF_TEMPLATE

Schema = Mapping[str, Any]

_UNITS = {"_ms": "milliseconds", "_s": "seconds"}


@dataclass(frozen=True, slots=True)
class TypePart:
    """A piece of a type's name; `model` is the one that it leads to."""

    text: str
    model: str | None = None


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One field: `meaning` is prose with code in backticks, `limits` are short phrases."""

    name: str
    type: Sequence[TypePart]
    required: bool
    meaning: str
    limits: Sequence[str]


def field_rows(schema: Schema) -> list[FieldRow]:
    """The fields of a model, those that must be there first."""
    required = set(schema.get("required", ()))
    rows = [_row(name, field, name in required) for name, field in schema.get("properties", {}).items()]
    return sorted(rows, key=lambda row: not row.required)


def referred(schema: Any) -> Iterator[str]:
    """The names of the models to which a schema refers, at any depth of itself."""
    if isinstance(schema, Mapping):
        if "$ref" in schema:
            yield model_name(schema["$ref"])
        for value in schema.values():
            yield from referred(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from referred(value)


def model_name(reference: str) -> str:
    return reference.removeprefix(REF_TEMPLATE.format(model=""))


def without_null(schema: Schema) -> Schema:
    """An optional field's schema: absent and null mean the same."""
    options = [option for option in schema.get("anyOf", ()) if option.get("type") != "null"]
    if not options or len(options) == len(schema["anyOf"]):
        return schema
    rest = {name: value for name, value in schema.items() if name != "anyOf"}
    return {**options[0], **rest} if len(options) == 1 else {**rest, "anyOf": options}


def _row(name: str, schema: Schema, required: bool) -> FieldRow:
    schema = without_null(schema)
    return FieldRow(name, _type(schema), required, schema.get("description", ""), list(_limits(name, schema)))


def _type(schema: Schema) -> list[TypePart]:
    if "$ref" in schema:
        name = model_name(schema["$ref"])
        return [TypePart(name, name)]
    if "const" in schema:
        return [TypePart(_literal(schema["const"]))]
    if "enum" in schema:
        return [TypePart(" | ".join(map(_literal, schema["enum"])))]
    if "anyOf" in schema:
        return _joined(_type(option) for option in schema["anyOf"])
    match schema.get("type"):
        case "array" if schema.get("maxItems") == 0:
            return [TypePart("[]")]
        case "array":
            item = _type(schema["items"])
            several = len(item) > 1 or " | " in item[0].text
            return [TypePart("("), *item, TypePart(")[]")] if several else [*item, TypePart("[]")]
        case "object" if "patternProperties" in schema:
            ((pattern, value),) = schema["patternProperties"].items()
            return [TypePart("{id: " if pattern == ID_PATTERN else "{name: "), *_type(value), TypePart("}")]
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return [TypePart("{name: "), *_type(schema["additionalProperties"]), TypePart("}")]
        case "string" if schema.get("pattern") == ID_PATTERN:
            return [TypePart("id")]
        case kind:
            return [TypePart(str(kind or "any"))]


def _joined(types: Iterator[list[TypePart]]) -> list[TypePart]:
    joined: list[TypePart] = []
    for parts in types:
        joined += [TypePart(" | "), *parts] if joined else parts
    return joined


def _literal(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


def _limits(name: str, schema: Schema) -> Iterator[str]:
    if schema.get("type") == "integer":
        yield from (
            "Unix time in milliseconds" if name.endswith("_at_ms") or name == "server_time_ms" else unit
            for ending, unit in _UNITS.items()
            if name.endswith(ending)
        )
    yield from _range("characters", schema.get("minLength"), schema.get("maxLength"))
    yield from _range("items", schema.get("minItems"), schema.get("maxItems"))
    yield from _range("entries", schema.get("minProperties"), schema.get("maxProperties"))
    yield from _range("", schema.get("minimum"), schema.get("maximum"))
    if "items" in schema:
        yield from (f"each: {limit}" for limit in _limits(name, schema["items"]))
    if schema.get("format"):
        yield f"format {schema['format']}"
    if "default" in schema and schema["default"] is not None:
        yield f"default {_literal(schema['default'])}"


def _range(unit: str, least: int | None, most: int | None) -> Iterator[str]:
    if most == 0:
        yield "always empty for now"
    elif most is not None and most < 2**31:
        yield f"{least:,}–{most:,} {unit}".strip() if least else f"at most {most:,} {unit}".strip()
    elif least is not None:
        yield f"at least {least:,} {unit}".strip()

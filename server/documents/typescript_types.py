"""TypeScript for JSON Schemas: the type of a value, and the declaration of a model with its comment."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from realtime.contract.wire import ID_PATTERN, MAX_ID
from server.documents.wire_schemas import REF_TEMPLATE

COLUMNS: Final = 110
_ITEM: Final = "Item"
_GENERIC: Final = re.compile(r"^(\w+)Of([A-Z]\w*)$")
"""The name that `WireSchemas` gives to a generic model of another."""
_SIMPLE: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}

_NO_BREAK: Final = "\xa0"
_BOUNDS: Final = (
    ("minLength", "maxLength", " characters"),
    ("minItems", "maxItems", " items"),
    ("minProperties", "maxProperties", " entries"),
    ("minimum", "maximum", ""),
)

_Schema = Mapping[str, Any]


class TypeScriptTypes:
    """Types of the models of `components`, as they are named there; `PageOfUser` is `Page<User>`."""

    def __init__(self, components: Mapping[str, _Schema]) -> None:
        self._components = components
        self._generics = {name: found.groups() for name in components if (found := self._generic(name))}

    def _generic(self, name: str) -> re.Match[str] | None:
        found = _GENERIC.match(name)
        return found if found and found[2] in self._components else None

    def name(self, ref: _Schema) -> str:
        """The type that a reference means."""
        name = str(ref["$ref"]).removeprefix(REF_TEMPLATE.format(model=""))
        generic, item = self._generics.get(name, (name, None))
        return generic if item is None else f"{generic}<{item}>"

    def declarations(self, *, left_out: Collection[str] = ()) -> Iterator[str]:
        """The declarations of the other models, in alphabetical order; a generic one stands there once."""
        texts: dict[str, str] = {}
        for name, schema in self._components.items():
            generic, item = self._generics.get(name, (name, None))
            if item is None:
                texts[name] = self._declaration(name, schema)
            else:
                reference = {"$ref": REF_TEMPLATE.format(model=item)}
                texts[generic] = self._declaration(f"{generic}<{_ITEM}>", _with_item(schema, reference))
        return (texts[name] for name in sorted(texts) if name not in left_out)

    def _declaration(self, name: str, schema: _Schema) -> str:
        described = comment(str(schema.get("description", "")))
        fields = schema.get("properties", {})
        if not fields:
            empty = "{}" if schema.get("additionalProperties") is not False else "Record<string, never>"
            return f"{described}export type {name} = {empty};\n"
        body = self._fields(schema)
        if "anyOf" not in schema:
            return f"{described}export interface {name} {body}\n"
        options = "\n".join(f"  | {self._inline(option)}" for option in schema["anyOf"])
        return f"{described}export type {name} = {body} & (\n{options}\n);\n"

    def _fields(self, schema: _Schema) -> str:
        required = schema.get("required", ())
        lines = []
        for field, value in schema["properties"].items():
            lines.append(textwrap.indent(comment(_told(value)), "  "))
            lines.append(f"  {field}{'' if field in required else '?'}: {self.type_of(value)};\n")
        return "{\n" + "".join(lines) + "}"

    def _inline(self, schema: _Schema) -> str:
        values = schema.get("properties", {})
        required = schema.get("required", ())
        fields = [f"{field}: {self.type_of(values[field]) if field in values else 'unknown'}" for field in required]
        fields += [f"{field}?: {self.type_of(value)}" for field, value in values.items() if field not in required]
        return "{ " + "; ".join(fields) + " }"

    def type_of(self, schema: _Schema) -> str:
        """The type of the values that a schema describes."""
        if schema == _ITEM_SCHEMA:
            return _ITEM
        if "$ref" in schema:
            return self.name(schema)
        if "anyOf" in schema:
            return " | ".join(dict.fromkeys(self.type_of(option) for option in schema["anyOf"]))
        if "const" in schema:
            return json.dumps(schema["const"])
        if "enum" in schema:
            return " | ".join(json.dumps(value) for value in schema["enum"])
        kind = schema.get("type")
        if kind == "array":
            return self._array(schema)
        if kind == "object":
            return self._record(schema)
        if schema.get("pattern") == ID_PATTERN:
            return "Id"
        if kind in _SIMPLE:
            return _SIMPLE[kind]
        raise ValueError(f"no type for {dict(schema)}")

    def _array(self, schema: _Schema) -> str:
        if schema.get("maxItems") == 0:
            return "[]"
        item = self.type_of(schema["items"])
        return f"({item})[]" if "|" in item else f"{item}[]"

    def _record(self, schema: _Schema) -> str:
        by_pattern = schema.get("patternProperties", {})
        key = "Id" if ID_PATTERN in by_pattern else "string"
        values = [*by_pattern.values()] or [schema.get("additionalProperties")]
        types = ["unknown" if value in (None, True) else self.type_of(value) for value in values]
        return f"Record<{key}, {' | '.join(types)}>"


_ITEM_SCHEMA: Final = {"$ref": _ITEM}


def _with_item(schema: Any, reference: _Schema) -> Any:
    """The schema of a generic model, with its parameter in the place of the model that it is of."""
    if schema == reference:
        return _ITEM_SCHEMA
    if isinstance(schema, Mapping):
        return {name: _with_item(value, reference) for name, value in schema.items()}
    return [_with_item(value, reference) for value in schema] if isinstance(schema, list) else schema


def comment(text: str) -> str:
    """A documentation comment, with its line end; nothing for no text."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.replace("*/", "*\\/").split("\n\n") if paragraph]
    if not paragraphs:
        return ""
    if len(paragraphs) == 1 and len(paragraphs[0]) <= COLUMNS - len("/**  */"):
        return f"/** {paragraphs[0]} */\n"
    lines = [line for paragraph in paragraphs for line in ("", *_wrapped(paragraph))][1:]
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n"


def _wrapped(paragraph: str) -> list[str]:
    """Its lines; code in backticks stays on one."""
    whole = re.sub("`[^`]+`", lambda code: code[0].replace(" ", _NO_BREAK), paragraph)
    lines = textwrap.wrap(whole, COLUMNS - 3, break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines]


def _told(schema: _Schema) -> str:
    """What a type does not say of the values of a field: its description, lengths, bounds, the default."""
    if "anyOf" in schema:
        present = [option for option in schema["anyOf"] if option.get("type") != "null"]
        return _told(present[0]) if len(present) == 1 else ""
    return " ".join(filter(None, (_rules(schema), schema.get("description"))))


def _rules(schema: _Schema) -> str:
    if "default" in schema:
        return f"{json.dumps(schema['default'])} where it is absent."
    for least, most, unit in _BOUNDS:
        if most in schema:
            return _bounds(schema.get(least, 0), schema[most], unit)
    if "pattern" in schema and schema["pattern"] != ID_PATTERN:
        return f"Of the form `{schema['pattern']}`."
    return ""


def _bounds(least: int, most: int, unit: str) -> str:
    if most == MAX_ID:
        return f"{least:,} or more{unit}."
    return f"{least:,} to {most:,}{unit}." if least or not unit else f"At most {most:,}{unit}."

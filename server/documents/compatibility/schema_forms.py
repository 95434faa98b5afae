"""JSON Schemas as alternatives without `anyOf`, `oneOf`, `allOf` and references, which can be compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

Schema = Mapping[str, Any]

NOT_RULES: Final = frozenset({"$defs", "components", "default", "description", "discriminator", "examples", "title"})
"""Keywords that say nothing about which values are allowed."""
TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
LOWER_BOUNDS: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER_BOUNDS: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")

_REF_PREFIX: Final = "#/components/schemas/"
_COMBINED: Final = ("$ref", "allOf", "anyOf", "oneOf")
_OF_OBJECTS: Final = ("properties", "required", "additionalProperties", "patternProperties")


@dataclass(frozen=True, slots=True)
class Form:
    """One way in which a value can fit a schema: all of its rules hold.

    `values` are the only ones that are allowed (None: any of the types); `rules` are those of texts and others that
    can only be compared by being the same.
    """

    types: frozenset[str] = TYPES
    values: tuple[Any, ...] | None = None
    bounds: Mapping[str, float] = field(default_factory=dict)
    rules: frozenset[tuple[str, str]] = frozenset()
    items: Schema = field(default_factory=dict)
    properties: Mapping[str, Schema] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    others: Schema | bool = True
    """What the fields may hold that `properties` does not name; False: there are none."""


def forms(schema: Schema | bool, components: Mapping[str, Schema]) -> Sequence[Form]:
    """All ways to fit a schema; empty where no value does."""
    if isinstance(schema, bool):
        return (Form(),) if schema else ()
    plain = _plain(schema)
    found: Sequence[Form] = (plain,) if plain.types else ()
    if "$ref" in schema:
        found = _both(found, forms(components[schema["$ref"].removeprefix(_REF_PREFIX)], components))
    for part in schema.get("allOf", ()):
        found = _both(found, forms(part, components))
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema:
            found = _both(found, [one for option in schema[keyword] for one in forms(option, components)])
    return found


def _plain(schema: Schema) -> Form:
    types = schema.get("type", TYPES)
    values = (schema["const"],) if "const" in schema else tuple(schema["enum"]) if "enum" in schema else None
    known = {*NOT_RULES, *_COMBINED, *_OF_OBJECTS, *LOWER_BOUNDS, *UPPER_BOUNDS, "type", "const", "enum", "items"}
    rules = {(name, repr(value)) for name, value in schema.items() if name not in known and not name.startswith("x-")}
    if "patternProperties" in schema:
        # Which names a pattern allows is compared as text.
        rules.add(("patternProperties", repr(sorted(schema["patternProperties"]))))
    return _with_values(
        Form(
            types=frozenset({types} if isinstance(types, str) else types),
            values=values,
            bounds={name: schema[name] for name in (*LOWER_BOUNDS, *UPPER_BOUNDS) if name in schema},
            rules=frozenset(rules),
            items=schema.get("items", {}),
            properties=schema.get("properties", {}),
            required=frozenset(schema.get("required", ())),
            others=_others(schema),
        )
    )


def _others(schema: Schema) -> Schema | bool:
    allowed: Schema | bool = schema.get("additionalProperties", True)
    by_pattern = list(schema.get("patternProperties", {}).values())
    if allowed is True or not by_pattern:
        return allowed
    return {"anyOf": by_pattern if isinstance(allowed, bool) else [*by_pattern, allowed]}


def _both(some: Sequence[Form], others: Sequence[Form]) -> Sequence[Form]:
    return [both for one in some for other in others if (both := _merged(one, other)) is not None]


def _merged(one: Form, other: Form) -> Form | None:
    """The form of values that fit both; None where there are none."""
    types = _common_types(one.types, other.types)
    values = one.values if other.values is None else other.values
    if one.values is not None and other.values is not None:
        values = tuple(value for value in one.values if value in other.values)
    if not types or values == ():
        return None  # no type is common, or no value
    names = [*one.properties, *(name for name in other.properties if name not in one.properties)]
    merged = _with_values(
        Form(
            types=types,
            values=values,
            bounds=dict(_bounds(one, other)),
            rules=one.rules | other.rules,
            items=_all_of(one.items, other.items),
            properties={name: _all_of(_property(one, name), _property(other, name)) for name in names},
            required=one.required | other.required,
            others=other.others if one.others is True else one.others,
        )
    )
    return merged if merged.types else None


def _with_values(form: Form) -> Form:
    """The form with the types of its values, where these are few."""
    if form.values is None:
        return form
    allowed = tuple(value for value in form.values if _type_of(value) in _widened(form.types))
    return replace(form, values=allowed, types=frozenset(map(_type_of, allowed)))


def _bounds(one: Form, other: Form) -> Iterator[tuple[str, float]]:
    for names, narrower in ((LOWER_BOUNDS, max), (UPPER_BOUNDS, min)):
        for name in names:
            given = [form.bounds[name] for form in (one, other) if name in form.bounds]
            if given:
                yield name, narrower(given)


def _property(form: Form, name: str) -> Schema:
    found = form.properties.get(name, form.others)
    return ({} if found else {"enum": []}) if isinstance(found, bool) else found


def _all_of(one: Schema, other: Schema) -> Schema:
    return one if not other or one == other else other if not one else {"allOf": [one, other]}


def _common_types(some: frozenset[str], others: frozenset[str]) -> frozenset[str]:
    return (some & _widened(others)) | (others & _widened(some))


def _widened(types: frozenset[str]) -> frozenset[str]:
    return types | {"integer"} if "number" in types else types


def _type_of(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    names = ((int, "integer"), (float, "number"), (str, "string"), (list, "array"))
    return next((name for kind, name in names if isinstance(value, kind)), "object")

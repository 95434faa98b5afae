"""Whether one schema takes all that another one takes, judged beside a validator of JSON Schema."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from realtime.contract.payload_rules import at_most_one_of, exactly_one_of
from server.documents.compatibility.schema_containment import Described, differences

COMPONENTS: dict[str, Any] = {
    "Name": {"type": "string", "maxLength": 2},
    "Tree": {
        "type": "object",
        "properties": {"name": {"type": "string"}, "below": {"items": {"$ref": "#/components/schemas/Tree"}}},
    },
}
TEXT: dict[str, Any] = {"anyOf": [{"type": "string"}, {"type": "null"}]}
PAIR: dict[str, Any] = {"type": "object", "additionalProperties": False, "properties": {"a": TEXT, "b": TEXT}}
SCHEMAS: list[dict[str, Any]] = [
    {},
    {"type": "string"},
    {"type": "string", "maxLength": 1},
    {"type": "string", "minLength": 1, "description": "Some text."},
    {"type": "string", "pattern": "^a"},
    {"$ref": "#/components/schemas/Name"},
    {"enum": ["a", "b"]},
    {"enum": ["a", None]},
    {"const": "a"},
    {"type": "integer"},
    {"type": "number"},
    {"type": "integer", "minimum": 1, "maximum": 5},
    {"type": "number", "exclusiveMinimum": 0},
    TEXT,
    {"type": ["string", "integer"]},
    {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "string", "maxLength": 1}]},
    {"type": "boolean"},
    {"type": "array", "items": {"type": "integer"}},
    {"type": "array", "maxItems": 1},
    {"type": "object"},
    {"type": "object", "properties": {"a": {"type": "string"}}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
    {"type": "object", "properties": {"a": TEXT, "c": {"type": "integer"}}},
    {"type": "object", "additionalProperties": {"type": "integer"}},
    {"type": "object", "additionalProperties": False, "patternProperties": {"^a": {"type": "integer"}}},
    {"allOf": [{"type": "object", "required": ["a"]}, {"properties": {"a": {"type": "string"}}}]},
    {"$ref": "#/components/schemas/Tree"},
    PAIR,
    {**PAIR, "required": ["a"]},
    {**PAIR, **exactly_one_of("a", "b")},
    {**PAIR, **at_most_one_of("a", "b")},
]
VALUES: list[Any] = [
    None,
    True,
    0,
    1,
    3,
    7,
    0.5,
    5.0,
    "",
    "a",
    "b",
    "ab",
    "abc",
    [],
    [1],
    [1, 2],
    ["a"],
    {},
    {"a": "a"},
    {"a": None},
    {"a": 1},
    {"b": "b"},
    {"a": "a", "b": "b"},
    {"a": "a", "b": None},
    {"a": "a", "c": "c"},
    {"c": 3},
    {"name": "x", "below": [{"name": "y", "below": []}]},
    {"name": 1},
    {"below": [{"name": 1}]},
]


def found(inner: dict[str, Any], outer: dict[str, Any]) -> list[str]:
    return differences(Described(inner, COMPONENTS), Described(outer, COMPONENTS))


def valid_values(schema: dict[str, Any]) -> list[Any]:
    validator = Draft202012Validator({**schema, "components": {"schemas": COMPONENTS}})
    return [value for value in VALUES if validator.is_valid(value)]


def test_where_nothing_is_found_each_value_of_the_one_is_a_value_of_the_other() -> None:
    contained = 0
    for inner, outer in itertools.permutations(SCHEMAS, 2):
        if not found(inner, outer):
            contained += 1
            taken = valid_values(outer)
            assert [value for value in valid_values(inner) if value not in taken] == [], (inner, outer)
    assert contained > 60


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_takes_all_that_itself_takes(schema: dict[str, Any]) -> None:
    assert found(schema, {**schema, "title": "Another", "x-note": 1}) == []


@pytest.mark.parametrize(
    ("inner", "outer"),
    [
        ({"type": "integer"}, {"type": "number"}),
        ({"type": "string", "maxLength": 1}, {"type": "string", "maxLength": 2}),
        ({"const": "a"}, {"enum": ["a", "b"]}),
        ({"type": "string"}, TEXT),
        ({"type": "string"}, {}),
        ({**PAIR, "required": ["a"]}, PAIR),
        ({**PAIR, **exactly_one_of("a", "b")}, PAIR),
        ({**PAIR, **exactly_one_of("a", "b")}, {**PAIR, **at_most_one_of("a", "b")}),
        (PAIR, {**PAIR, "properties": {**PAIR["properties"], "c": TEXT}}),
        ({"type": "object", "properties": {"a": TEXT, "new": TEXT}}, {"type": "object", "properties": {"a": TEXT}}),
        ({"$ref": "#/components/schemas/Name"}, {"type": "string", "maxLength": 3}),
    ],
)
def test_what_is_wider_takes_all_that_is_narrower(inner: dict[str, Any], outer: dict[str, Any]) -> None:
    assert found(inner, outer) == []
    assert found(outer, inner) != []


@pytest.mark.parametrize(
    ("inner", "outer", "told"),
    [
        ({"type": "string"}, {"type": "integer"}, ["it may be string"]),
        (TEXT, {"type": "string"}, ["it may be null"]),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, ["it may be 'b'"]),
        ({"type": "string"}, {"enum": ["a"]}, ["it may have other values than 'a'"]),
        ({"type": "string"}, {"type": "string", "maxLength": 5}, ["it may be beyond the maxLength of 5"]),
        ({"type": "string"}, {"type": "string", "pattern": "^a"}, ["it may break the rule pattern: '^a'"]),
        (PAIR, {**PAIR, "required": ["a"]}, ["a may be absent"]),
        (PAIR, {**PAIR, "properties": {"a": TEXT}}, ["b is not allowed"]),
        ({"type": "object"}, {"type": "object", "properties": {"a": TEXT}}, ["a is not there"]),
        (
            {"type": "array", "items": {"type": "object", "properties": {"a": TEXT}}},
            {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
            ["[].a may be null"],
        ),
        ({"type": "object"}, PAIR, ["a is not there", "b is not there", "* is not allowed"]),
    ],
)
def test_a_difference_is_told_with_its_place(inner: dict[str, Any], outer: dict[str, Any], told: list[str]) -> None:
    assert found(inner, outer) == told

from __future__ import annotations

from typing import Any

import pytest

from realtime.contract.wire import ID_PATTERN
from server.documents.typescript_types import COLUMNS, TypeScriptTypes, comment

ID = {"type": "string", "pattern": ID_PATTERN}


def ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "string"),
        ({"type": "integer", "minimum": 1, "maximum": 100}, "number"),
        (ID, "Id"),
        ({"anyOf": [ID, {"type": "null"}]}, "Id | null"),
        ({"enum": ["text", 'a "link"'], "type": "string"}, '"text" | "a \\"link\\""'),
        ({"const": True, "type": "boolean"}, "true"),
        ({"type": "array", "items": {"anyOf": [ID, {"type": "null"}]}}, "(Id | null)[]"),
        ({"type": "array", "items": ref("User")}, "User[]"),
        ({"type": "array", "maxItems": 0}, "[]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"type": "object", "additionalProperties": True}, "Record<string, unknown>"),
        ({"type": "object", "patternProperties": {ID_PATTERN: {"type": "integer"}}}, "Record<Id, number>"),
        (ref("PageOfUser"), "Page<User>"),
        (ref("KindOfThing"), "KindOfThing"),
    ],
)
def test_a_schema_has_its_type(schema: dict[str, Any], written: str) -> None:
    types = TypeScriptTypes({"User": {}, "PageOfUser": {}, "KindOfThing": {}})
    assert types.type_of(schema) == written


def test_a_schema_without_a_type_is_refused() -> None:
    with pytest.raises(ValueError, match="no type"):
        TypeScriptTypes({}).type_of({"not": {}})


def declared(**components: dict[str, Any]) -> list[str]:
    return list(TypeScriptTypes(components).declarations())


def test_what_is_required_and_what_a_value_must_be_stands_at_its_field() -> None:
    fields = {"text": {"type": "string", "minLength": 1, "maxLength": 5_000}, "bio": {"type": "string"}}
    fields["limit"] = {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 100}, {"type": "null"}]}
    assert declared(Note={"type": "object", "description": "A note.", "properties": fields, "required": ["text"]}) == [
        "/** A note. */\n"
        "export interface Note {\n"
        "  /** 1 to 5,000 characters. */\n"
        "  text: string;\n"
        "  bio?: string;\n"
        "  /** 1 to 100. */\n"
        "  limit?: number | null;\n"
        "}\n"
    ]


def test_fields_of_which_one_is_needed_are_a_union() -> None:
    fields = {"email": {"anyOf": [{"type": "string"}, {"type": "null"}]}, "name": {"type": "string"}}
    options = [
        {"required": ["email"], "properties": {"email": {"type": "string"}}},
        {"required": ["name"], "properties": {"email": {"type": "null"}}},
    ]
    assert declared(Who={"type": "object", "properties": fields, "anyOf": options}) == [
        "export type Who = {\n"
        "  email?: string | null;\n"
        "  name?: string;\n"
        "} & (\n"
        "  | { email: string }\n"
        "  | { name: unknown; email?: null }\n"
        ");\n"
    ]


def test_a_generic_model_stands_there_once() -> None:
    page = {"type": "object", "required": ["items"]}
    pages = {
        f"PageOf{name}": {**page, "properties": {"items": {"type": "array", "items": ref(name)}}}
        for name in ("Post", "User")
    }
    empty = {"type": "object", "properties": {}}
    assert declared(**pages, Post=empty, User={**empty, "additionalProperties": False}) == [
        "export interface Page<Item> {\n  items: Item[];\n}\n",
        "export type Post = {};\n",
        "export type User = Record<string, never>;\n",
    ]


def test_a_comment_is_wrapped_and_ends_where_it_should() -> None:
    assert comment("") == ""
    assert comment("One sentence.") == "/** One sentence. */\n"
    assert comment("Not */ here.") == "/** Not *\\/ here. */\n"
    long = comment("word " * 50 + "`POST /v1/whole`\n\nSecond.")
    assert long.startswith("/**\n * word") and long.endswith("\n *\n * Second.\n */\n")
    assert "`POST /v1/whole`" in long and max(map(len, long.splitlines())) <= COLUMNS

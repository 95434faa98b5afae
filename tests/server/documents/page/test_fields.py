"""Tables of fields."""

from server.documents.page.fields import field_rows


def test_a_field_shows_its_type_and_limits() -> None:
    rows = field_rows(
        {
            "properties": {
                "text": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 5000}, {"type": "null"}]},
                "ids": {"type": "array", "items": {"$ref": "#/components/schemas/Post"}, "maxItems": 30},
                "kind": {"enum": ["a", "b"], "default": "a", "description": "Which `one`."},
                "edited_at_ms": {"type": "integer"},
            },
            "required": ["ids"],
        }
    )
    assert [(row.name, "".join(part.text for part in row.type), row.required) for row in rows] == [
        ("ids", "Post[]", True),
        ("text", "string", False),
        ("kind", '"a" | "b"', False),
        ("edited_at_ms", "integer", False),
    ]
    assert [row.limits for row in rows] == [
        ["at most 30 items"],
        ["1–5,000 characters"],
        ['default "a"'],
        ["Unix time in milliseconds"],
    ]
    assert (rows[0].type[0].model, rows[2].meaning) == ("Post", "Which `one`.")

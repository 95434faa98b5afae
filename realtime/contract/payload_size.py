"""How many bytes a command takes, from the limits of its fields: limits of characters stay limits of characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

BYTES_PER_CHARACTER: Final = 24
"""A character of NFC may be sent as four that are composed, each escaped (`\\uXXXX`)."""
BYTES_BESIDE: Final = 1_024
"""Of the names of the fields and the punctuation."""
LEAST_BYTES: Final = 64 * 1_024
MOST_BYTES: Final = 960 * 1_024
"""Below the largest packet, so that a payload over the limit is answered instead of closing the connection."""

_NUMBER_CHARS: Final = 20
_PATTERN_CHARS: Final = 16
"""Of a text with a pattern in place of a limit (an id, a username, a key): 64 of ASCII, which take 6 bytes each."""


def payload_limit_bytes(payload: type[BaseModel]) -> int:
    """The limit of a payload's size. Raises ValueError for a field that takes any number of characters."""
    schema = payload.model_json_schema()
    needed = BYTES_PER_CHARACTER * _most_chars(schema, schema.get("$defs", {})) + BYTES_BESIDE
    return min(max(needed, LEAST_BYTES), MOST_BYTES)


def _most_chars(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> int:
    """The characters of the longest value that fits the JSON schema."""
    if "$ref" in schema:
        return _most_chars(definitions[schema["$ref"].rsplit("/", 1)[1]], definitions)
    if "anyOf" in schema and "type" not in schema:
        return max(_most_chars(option, definitions) for option in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return max(len(str(value)) for value in schema.get("enum", [schema.get("const")]))
    match schema.get("type"):
        case "string" if "maxLength" in schema:
            return int(schema["maxLength"])
        case "string" if "pattern" in schema:
            return _PATTERN_CHARS
        case "array" if "maxItems" in schema:
            return int(schema["maxItems"]) * _most_chars(schema["items"], definitions)
        case "object" if "maxProperties" in schema:
            (value,) = schema["patternProperties"].values()
            return int(schema["maxProperties"]) * (_PATTERN_CHARS + _most_chars(value, definitions))
        case "object" if "additionalProperties" not in schema or schema["additionalProperties"] is False:
            return sum(_most_chars(field, definitions) for field in schema.get("properties", {}).values())
        case "integer" | "number" | "boolean" | "null":
            return _NUMBER_CHARS
    raise ValueError(f"no limit of characters: {dict(schema)}")

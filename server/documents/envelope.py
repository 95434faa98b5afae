"""The schemas of the envelope in which every answer stands, for all documents."""

from __future__ import annotations

from typing import Any, Final

from realtime.contract.errors import COMMON_ERRORS

_MEANINGS: Final = "\n".join(f"- `{error.code}` ({error.status}): {error.message}" for error in COMMON_ERRORS)

FAILURE_SCHEMAS: Final[dict[str, Any]] = {
    "ErrorCode": {
        "type": "string",
        "enum": [error.code for error in COMMON_ERRORS],
        "description": f"Why a command failed. A code never changes its meaning.\n\n{_MEANINGS}",
    },
    "CommandError": {
        "type": "object",
        "required": ["code", "message", "retryable"],
        "properties": {
            "code": {"$ref": "#/components/schemas/ErrorCode"},
            "message": {"type": "string", "description": "For developers, in English."},
            "retryable": {"type": "boolean", "description": "Whether the very same call may succeed later."},
            "retry_after_ms": {"type": "integer", "description": "How long to wait before that."},
            "fields": {
                "type": "object",
                "additionalProperties": {"type": "string"},
                "description": "What is wrong, by the path of the field (`text`, `settings.theme`).",
            },
        },
    },
    "Failure": {
        "type": "object",
        "required": ["ok", "error"],
        "properties": {"ok": {"const": False}, "error": {"$ref": "#/components/schemas/CommandError"}},
    },
}
"""By their names among the components of a document."""


def failure_with(codes: list[str]) -> dict[str, Any]:
    """The schema of a failure with one of these codes."""
    return {
        "allOf": [
            {"$ref": "#/components/schemas/Failure"},
            {"properties": {"error": {"properties": {"code": {"enum": codes}}}}},
        ]
    }


def success_with(data: dict[str, Any], **beside: Any) -> dict[str, Any]:
    """The schema of a success with this data; `beside` are schemas of fields that stand beside it."""
    return {
        "type": "object",
        "required": ["ok", "data", *beside],
        "properties": {"ok": {"const": True}, "data": data, **beside},
    }

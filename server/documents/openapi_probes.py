"""The paths of OpenAPI that operators and load balancers watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final


def _probe(name: str, told: str, answers: Mapping[str, str]) -> dict[str, Any]:
    """`answers` are the meanings of the statuses."""
    return {
        "servers": [{"url": "/"}],
        "get": {
            "operationId": name,
            "summary": told,
            "tags": ["operations"],
            "responses": {
                status: {"description": meaning, "content": {"application/json": {"schema": {"type": "object"}}}}
                for status, meaning in answers.items()
            },
        },
    }


PROBE_PATHS: Final[Mapping[str, Any]] = {
    "/health": _probe("health", "Whether this process is alive.", {"200": "It is."}),
    "/ready": _probe(
        "ready",
        "Whether this process can serve: its dependencies answer, and it is not stopping.",
        {"200": "It can.", "503": "It cannot; the answer says why."},
    ),
}

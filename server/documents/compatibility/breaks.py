"""What of this version would break the clients of the last one that was released."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.documents.compatibility.rest_changes import rest_breaks
from server.documents.compatibility.socket_changes import socket_breaks

COMPARED = {"asyncapi.json": socket_breaks, "openapi.json": rest_breaks}
"""For each document that is compared, what finds the breaks between two versions of it."""


def breaks(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The changes of a document that break clients; none where its version says that it may."""
    if may_break(old["info"]["version"], new["info"]["version"]):
        return []
    return sorted(COMPARED[name](old, new))


def may_break(old: str, new: str) -> bool:
    """Whether a version may break what the other one promised, as semantic versioning has it: before 1.0.0 the second
    number counts as the first does afterwards.
    """
    return _promise(new) > _promise(old)


def _promise(version: str) -> tuple[int, int]:
    major, minor, *_ = version.split(".")
    return (int(major), int(minor) if major == "0" else 0)

"""Validators of all that travels, made from the schemas that the documents publish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from realtime.contract.declarations import Command
from server.documents.wire_schemas import WireSchemas
from server.features import FEATURES
from server.pipeline.registry import Registry

_SCHEMAS = WireSchemas(Registry(FEATURES))


def payload_faults(command: Command[Any, Any], payload: object) -> list[str]:
    """What the schema of the command's payload says against it."""
    return list(_faults(_SCHEMAS.payload(command), payload))


def answer_faults(command: Command[Any, Any], data: object) -> list[str]:
    """What the schema of the command's answer says against its data."""
    return list(_faults(_SCHEMAS.answer(command), data))


def _faults(ref: Mapping[str, Any], value: object) -> Iterator[str]:
    for error in _validator(ref["$ref"]).iter_errors(value):
        yield f"{error.json_path}: {error.message}"


@cache
def _validator(ref: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": ref, "components": {"schemas": _SCHEMAS.components}})

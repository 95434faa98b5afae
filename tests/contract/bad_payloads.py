"""Everything that can be wrong with a payload, derived from the command's declaration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

from realtime.contract.declarations import Command

TEXT_OVER_EVERY_LIMIT = 6_000
DEPTHS = (200, 20_000, 50_000)


class BadPayload(NamedTuple):
    """`body` is the text on the wire: JSON, or not quite JSON."""

    fault: str
    body: bytes
    answer: str = "invalid_payload"
    is_json: bool = True
    """False where a socket sees a malformed packet: it closes the connection instead of answering."""


def bad_payloads(command: Command[Any, Any], good: Mapping[str, Any]) -> Iterator[BadPayload]:
    """Payloads that must each be refused; `good` is a valid payload of the command."""
    yield from _not_an_object()
    yield BadPayload("an unknown field", _changed(good, surprise=1))
    yield BadPayload("who acts named in the payload", _changed(good, sender_id="1"))
    yield BadPayload("too large", _changed(good, surprise="x" * (command.max_bytes + 1)), "too_large")
    for depth in DEPTHS:
        nested = b"[" * depth + b"]" * depth
        is_small = len(nested) + 1_000 < command.max_bytes
        answer = "invalid_payload" if is_small else "too_large"
        yield BadPayload(f"nested {depth} deep", _raw(good, "surprise", nested), answer)
    schema = command.payload.model_json_schema()
    for field in schema.get("required", []):
        yield BadPayload(
            f"without {field}", orjson.dumps({name: value for name, value in good.items() if name != field})
        )
    for field in schema.get("properties", {}):
        yield from _bad_field(field, good, takes=_types(schema["properties"][field], schema))


def _not_an_object() -> Iterator[BadPayload]:
    for body in (b"null", b"true", b"5", b'"text"', b"[]", b"[{}]", b"1e999"):
        yield BadPayload(f"{body.decode()} instead of an object", body)


def _bad_field(field: str, good: Mapping[str, Any], *, takes: set[str]) -> Iterator[BadPayload]:
    wrong: dict[str, Any] = {"boolean": True, "number": 1.5, "array": [[]], "object": {"a": {}}}
    if "string" not in takes:
        wrong["string"] = "one"
    if "integer" not in takes:
        wrong["integer"] = 7
    for kind, value in wrong.items():
        if kind not in takes:
            yield BadPayload(f"{field} of type {kind}", _changed(good, **{field: value}))
    yield BadPayload(f"{field} past 64 bits", _raw(good, field, b"1" + b"0" * 30))
    yield BadPayload(f"{field} is NaN", _raw(good, field, b"NaN"), is_json=False)
    yield BadPayload(f"{field} with NUL", _raw(good, field, b'"a\\u0000b"'))
    yield BadPayload(f"{field} with a lone surrogate", _raw(good, field, b'"a\\ud800b"'))
    yield BadPayload(f"{field} oversized", _changed(good, **{field: "x" * TEXT_OVER_EVERY_LIMIT}))


def _types(schema: Mapping[str, Any], root: Mapping[str, Any]) -> set[str]:
    if "$ref" in schema:
        return _types(root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    options = schema.get("anyOf", [schema])
    if options != [schema]:
        return set().union(*(_types(option, root) for option in options))
    if "enum" in schema or "const" in schema:
        return {"string"}
    return {schema.get("type", "object")}


def _changed(good: Mapping[str, Any], **fields: Any) -> bytes:
    return orjson.dumps({**good, **fields})


def _raw(good: Mapping[str, Any], field: str, value: bytes) -> bytes:
    rest = b"".join(
        b"," + orjson.dumps(name) + b":" + orjson.dumps(content) for name, content in good.items() if name != field
    )
    return b"{" + orjson.dumps(field) + b":" + value + rest + b"}"

"""Compares what travels with the schemas that the documents publish."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator

from realtime.contract.declarations import EVERY_NAMESPACE
from server.documents.asyncapi_messages import key_of
from server.documents.documents import Documents
from server.features import FEATURES
from server.pipeline.registry import Registry
from tests.kit.traffic import AnsweredCall, ReceivedPush, Traffic

_REGISTRY: Final = Registry(FEATURES)


def traffic_faults(traffic: Traffic) -> list[str]:
    """What of the traffic is not as `asyncapi.json` describes it; commands and pushes of tests are left out."""
    found = [fault for call in traffic.calls for fault in _call_faults(call)]
    found += [fault for push in traffic.pushes for fault in _push_faults(push)]
    return list(dict.fromkeys(found))


def _call_faults(call: AnsweredCall) -> Iterator[str]:
    bound = _REGISTRY.find(call.namespace, call.name)
    if bound is None:
        return
    key = key_of(call.name)
    yield from (f"{call.name} answered {fault}" for fault in _faults(f"{key}_answer", call.answer))
    if call.answer["ok"]:
        yield from (f"{call.name} took {fault}" for fault in _faults(key, call.payload))


def _push_faults(push: ReceivedPush) -> Iterator[str]:
    declared = _REGISTRY.pushes.get(push.name)
    if declared is None:
        return
    if push.namespace not in (declared.namespace, *declared.also_in) and EVERY_NAMESPACE not in declared.also_in:
        yield f"{push.name} came in {push.namespace}"
    yield from (f"{push.name} was {fault}" for fault in _faults(key_of(push.name), push.data))


def _faults(message: str, value: object) -> list[str]:
    validator = _validator(message)
    if validator.is_valid(value):
        return []
    return [
        f"{orjson.dumps(value).decode()}: {error.json_path}: {error.message}" for error in validator.iter_errors(value)
    ]


@cache
def _validator(message: str) -> Draft202012Validator:
    document = _document()
    return Draft202012Validator(
        {**document["components"]["messages"][message]["payload"], "components": document["components"]}
    )


@cache
def _document() -> Mapping[str, Any]:
    document: Mapping[str, Any] = orjson.loads(Documents(_REGISTRY).body("asyncapi.json"))
    return document

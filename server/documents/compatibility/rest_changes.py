"""The changes of `openapi.json` that break clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from server.documents.compatibility.schema_containment import Described, differences

_Document = Mapping[str, Any]
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def rest_breaks(old: _Document, new: _Document) -> Iterator[str]:
    """What of a new `openapi.json` would break a client that was written for an old one."""
    urls = [{server["url"] for server in document["servers"]} for document in (old, new)]
    yield from (f"the prefix {url} is gone" for url in sorted(urls[0] - urls[1]))
    before, after = _operations(old), _operations(new)
    for name, was in before.items():
        if name not in after:
            yield f"the route {name} is gone"
            continue
        now = after[name]
        if {} in was["security"] and {} not in now["security"]:
            yield f"{name}: strangers may not call it any more"
        yield from (f"{name}: {fault}" for fault in _parameter_breaks(was, old, now, new))
        yield from (f"{name}: {fault}" for fault in _body_breaks(was, old, now, new))
        yield from (f"{name}: {fault}" for fault in _answer_breaks(was, old, now, new))


def _parameter_breaks(was: _Document, old: _Document, now: _Document, new: _Document) -> Iterator[str]:
    before, after = _parameters(was), _parameters(now)
    for key, parameter in before.items():
        told = f"{key[1]} in the {key[0]}"
        if key not in after:
            yield f"{told} is gone"
            continue
        for fault in differences(_described(parameter["schema"], old), _described(after[key]["schema"], new)):
            yield f"{told}: {fault}, and is refused"
    for key, parameter in after.items():
        was_needed = before.get(key, {}).get("required", False)
        if parameter.get("required", False) and not was_needed:
            yield f"{key[1]} in the {key[0]} is needed now"


def _body_breaks(was: _Document, old: _Document, now: _Document, new: _Document) -> Iterator[str]:
    before, after = was.get("requestBody", {}), now.get("requestBody", {})
    if after.get("required", False) and not before.get("required", False):
        yield "a body is needed now"
    for kind, content in before.get("content", {}).items():
        if kind not in after.get("content", {}):
            yield f"a body of {kind} is not taken any more"
            continue
        others = _described(after["content"][kind]["schema"], new)
        for fault in differences(_described(content["schema"], old), others):
            yield f"of the body, {fault}, and is refused"


def _answer_breaks(was: _Document, old: _Document, now: _Document, new: _Document) -> Iterator[str]:
    for status, response in was["responses"].items():
        if status not in now["responses"]:
            yield f"the status {status} is gone"
            continue
        before, after = _schema(response, old), _schema(now["responses"][status], new)
        if before is None or after is None:
            continue
        if int(status) >= 400:
            # More errors may come with later versions; one that is gone had a meaning.
            codes = [_codes(schema) for schema in (before, after)]
            yield from (f"the error {code} is gone" for code in sorted(codes[0] - codes[1]))
        else:
            for fault in differences(_described(after, new), _described(before, old)):
                yield f"of the answer, {fault}"


def _operations(document: _Document) -> dict[str, dict[str, Any]]:
    """The operations by `POST /posts`, each with the parameters of its path and what it asks for."""
    found = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                operation = item[method]
                found[f"{method.upper()} {path}"] = {
                    **operation,
                    "parameters": [*item.get("parameters", ()), *operation.get("parameters", ())],
                    "security": operation.get("security", document.get("security")) or [{}],
                }
    return found


def _parameters(operation: _Document) -> dict[tuple[str, str], Any]:
    return {(one["in"], one["name"]): one for one in operation["parameters"]}


def _schema(response: _Document, document: _Document) -> Any:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return response.get("content", {}).get("application/json", {}).get("schema")


def _codes(schema: Mapping[str, Any]) -> set[str]:
    if "allOf" not in schema:
        return set()
    return set(schema["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"])


def _described(schema: Any, document: _Document) -> Described:
    return Described(schema, document["components"]["schemas"])

"""The changes of `asyncapi.json` that break clients."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from server.documents.compatibility.schema_containment import Described, differences

_Document = Mapping[str, Any]


class _Message(NamedTuple):
    """A command or a push. `errors` and `limits` are empty, and `answer` is none, for a push."""

    name: str
    payload: Any
    answer: Any
    errors: frozenset[str]
    limits: Mapping[str, float]
    channels: frozenset[str]


def socket_breaks(old: _Document, new: _Document) -> Iterator[str]:
    """What of a new `asyncapi.json` would break a client that was written for an old one."""
    yield from _removed("the namespace", _addresses(old), _addresses(new))
    yield from _command_breaks(old, new)
    yield from _push_breaks(old, new)
    yield from _collection_breaks(old, new)
    for table, kind in (("x-errors", "the error"), ("x-closes", "the close code")):
        yield from _removed(kind, *({str(row["code"]) for row in document[table]} for document in (old, new)))


def _command_breaks(old: _Document, new: _Document) -> Iterator[str]:
    before, after = _messages(old, "receive"), _messages(new, "receive")
    yield from _removed("the command", before.keys(), after.keys())
    for name in before.keys() & after.keys():
        was, now = before[name], after[name]
        yield from (f"{name} is not taken in {channel}" for channel in sorted(was.channels - now.channels))
        for fault in differences(_described(was.payload, old), _described(now.payload, new)):
            yield f"{name}: of what clients send, {fault}, and is refused"
        for fault in differences(_described(now.answer, new), _described(was.answer, old)):
            yield f"{name}: of the answer, {fault}"
        yield from _removed(f"{name}: the error", was.errors, now.errors)
        for limit, value in was.limits.items():
            if now.limits.get(limit, 0) < value:
                yield f"{name}: the limit {limit} is lower than {value:g}"


def _push_breaks(old: _Document, new: _Document) -> Iterator[str]:
    before, after = _messages(old, "send"), _messages(new, "send")
    yield from _removed("the push", before.keys(), after.keys())
    for name in before.keys() & after.keys():
        was, now = before[name], after[name]
        yield from (f"{name} does not come in {channel}" for channel in sorted(was.channels - now.channels))
        for fault in differences(_described(now.payload, new), _described(was.payload, old)):
            yield f"{name}: of the push, {fault}"


def _collection_breaks(old: _Document, new: _Document) -> Iterator[str]:
    before, after = old["x-collections"], new["x-collections"]
    yield from _removed("the Collection", before.keys(), after.keys())
    for name in before.keys() & after.keys():
        for fault in differences(_described(after[name]["item"], new), _described(before[name]["item"], old)):
            yield f"{name}: of its items, {fault}"


def _removed(kind: str, before: Any, after: Any) -> Iterator[str]:
    yield from (f"{kind} {name} is gone" for name in sorted(set(before) - set(after)))


def _described(schema: Any, document: _Document) -> Described:
    return Described(schema, document["components"]["schemas"])


def _addresses(document: _Document) -> set[str]:
    return {channel["address"] for channel in document["channels"].values()}


def _messages(document: _Document, action: str) -> dict[str, _Message]:
    """The commands (`receive`: the document is that of the server) or the pushes (`send`), by name."""
    found: dict[str, _Message] = {}
    for operation in document["operations"].values():
        if operation["action"] != action:
            continue
        message = _target(document, operation["messages"][0])
        channels = frozenset(_places(_target(document, operation["channel"])))
        answers = [_target(document, ref) for ref in operation.get("reply", {}).get("messages", ())]
        done, failed = answers[0]["payload"]["oneOf"] if answers else (None, None)
        known = found.get(message["name"])
        found[message["name"]] = _Message(
            name=message["name"],
            payload=message["payload"],
            answer=done and done["properties"]["data"],
            errors=frozenset(_codes(failed)) if failed else frozenset(),
            limits=message.get("x-limits", {}),
            channels=channels if known is None else channels | known.channels,
        )
    return found


def _places(channel: Mapping[str, Any]) -> list[str]:
    """The namespaces of a channel."""
    names = channel.get("parameters", {}).get("namespace", {}).get("enum")
    return [channel["address"]] if names is None else [f"/{name}" for name in names]


def _codes(failed: Mapping[str, Any]) -> list[str]:
    codes: list[str] = failed["allOf"][1]["properties"]["error"]["properties"]["code"]["enum"]
    return codes


def _target(document: _Document, ref: Mapping[str, str]) -> Any:
    """What a reference means in the end."""
    found: Any = ref
    while "$ref" in found:
        parts, found = found["$ref"].removeprefix("#/").split("/"), document
        for part in parts:
            found = found[part]
    return found

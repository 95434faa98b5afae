"""`types.d.ts`: TypeScript types of all commands, answers, pushes, errors and Collections, for official clients."""

from __future__ import annotations

import json
import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from realtime.contract.collections import COLLECTION_CHANGED
from realtime.contract.declarations import EVERY_NAMESPACE, Access, Command, Push, Route
from realtime.contract.errors import ALWAYS_POSSIBLE, CLOSE_REASONS, COMMON_ERRORS
from realtime.contract.rest import path_fields
from server.documents.sentences import ERRORS_OF_ACCESS, REPEATS, rate_sentence
from server.documents.typescript_types import TypeScriptTypes, comment
from server.documents.wire_schemas import WireSchemas
from server.pipeline.registry import Registry

_PREAMBLE: Final = Path(__file__).with_name("types_preamble.d.ts")
"""What does not depend on the declarations: the envelope of answers, how to connect."""
_EXPORTED: Final = re.compile(r"^export (?:interface|type) (\w+)", re.MULTILINE)
_TYPE_OF_ACCESS: Final = {Access.ANYONE: "OpenCommand", Access.PERSON: "Command"}

_AnyCommand = Command[Any, Any]


def type_declarations(registry: Registry) -> str:
    """The text of `types.d.ts`; it imports nothing. Raises ValueError where two types have one name."""
    text = "\n".join(_TypeScript(registry).parts())
    twice = [name for name, count in Counter(_EXPORTED.findall(text)).items() if count > 1]
    if twice:
        raise ValueError(f"types.d.ts has more than one type of the name {twice[0]}")
    return text


class _TypeScript:
    def __init__(self, registry: Registry) -> None:
        self._commands = [bound.command for bound in registry.commands()]
        self._pushes = list(registry.pushes.values())
        self._collections = list(registry.collections.values())
        self._namespaces = registry.namespaces
        self._schemas = WireSchemas(registry)
        self._types = TypeScriptTypes(self._schemas.components)

    def parts(self) -> Iterator[str]:
        yield _PREAMBLE.read_text(encoding="utf-8")
        yield _error_codes()
        yield _close_codes()
        yield from self._everywhere()
        for namespace in self._namespaces:
            yield from self._namespace(namespace)
        yield self._all_namespaces()
        yield self._all_collections()
        yield self._collection_changed()
        yield self._routes()
        yield from self._types.declarations(left_out={COLLECTION_CHANGED.model.__name__})

    def _everywhere(self) -> Iterator[str]:
        commands = [command for command in self._commands if command.any_namespace]
        pushes = [push for push in self._pushes if EVERY_NAMESPACE in push.also_in]
        yield comment("Commands of every namespace.") + self._commands_of("CommandsEverywhere", commands)
        yield comment("Pushes in every namespace.") + self._pushes_of("PushesEverywhere", pushes)

    def _namespace(self, namespace: str) -> Iterator[str]:
        name = _pascal(namespace)
        commands = [
            command for command in self._commands if command.namespace == namespace and not command.any_namespace
        ]
        pushes = [
            push
            for push in self._pushes
            if namespace in (push.namespace, *push.also_in) and EVERY_NAMESPACE not in push.also_in
        ]
        yield comment(f"Commands of `{namespace}`.") + self._commands_of(
            f"{name}Commands extends CommandsEverywhere", commands
        )
        yield comment(f"Pushes in `{namespace}`.") + self._pushes_of(f"{name}Pushes extends PushesEverywhere", pushes)

    def _commands_of(self, name: str, commands: Iterable[_AnyCommand]) -> str:
        return _interface(name, (self._command(command) for command in commands))

    def _command(self, command: _AnyCommand) -> str:
        payload = self._types.name(self._schemas.payload(command))
        data = self._types.name(self._schemas.answer(command))
        known = (*ALWAYS_POSSIBLE, *ERRORS_OF_ACCESS[command.access])
        codes = " | ".join(json.dumps(error.code) for error in command.errors if error not in known)
        arguments = ", ".join(filter(None, (payload, data, codes)))
        limits = f"{REPEATS[command.repeat]} {rate_sentence(command.rate)}{_rest(command.routes)}"
        told = comment(f"{command.effect}\n\n{limits}")
        return f"{told}{json.dumps(command.name)}: {_TYPE_OF_ACCESS[command.access]}<{arguments}>;\n"

    def _pushes_of(self, name: str, pushes: Iterable[Push[Any]]) -> str:
        return _interface(name, (self._push(push) for push in pushes))

    def _push(self, push: Push[Any]) -> str:
        return f"{comment(push.audience)}{json.dumps(push.name)}: Push<{self._types.name(self._schemas.push(push))}>;\n"

    def _all_namespaces(self) -> str:
        entries = (
            f'"{namespace}": {{ commands: {_pascal(namespace)}Commands; pushes: {_pascal(namespace)}Pushes }};\n'
            for namespace in self._namespaces
        )
        return comment("Every namespace, by the name to connect to.") + _interface("Namespaces", entries)

    def _all_collections(self) -> str:
        entries = (
            comment(f"{collection.holds}\n\nRead anew by {collection.read_anew}")
            + f"{collection.name}: {self._types.name(self._schemas.item(collection))};\n"
            for collection in self._collections
        )
        told = "The items of each Collection of `sync:pull`: what a client may keep, by the ids of the items."
        return comment(told) + _interface("Collections", entries)

    def _collection_changed(self) -> str:
        """The model of `collection:changed` by its Collections, which its own schema leaves open."""
        told = [json.dumps(collection.name) for collection in self._collections if collection.told_to_devices]
        entries = "{ name: Name; upserts: Collections[Name][]; removed: string[] }"
        return (
            comment("New or changed items of a Collection, each as it is now, and the ids of those that are gone.")
            + f"export type CollectionChanged = {{\n  [Name in {' | '.join(told) or 'never'}]: {entries};\n"
            + f"}}[{' | '.join(told) or 'never'}];\n"
        )

    def _routes(self) -> str:
        routed = [(route, command) for command in self._commands for route in command.routes]
        routed.sort(key=lambda pair: (pair[0].path, pair[0].method))
        return comment("The REST routes.") + _interface("RestRoutes", (self._route(*pair) for pair in routed))

    def _route(self, route: Route, command: _AnyCommand) -> str:
        payload = self._types.name(self._schemas.payload(command))
        data = self._types.name(self._schemas.answer(command))
        in_path = " | ".join(json.dumps(field) for field in path_fields(route)) or "never"
        return f'"{route.method} {route.path}": RestRoute<{in_path}, {payload}, {data}>;\n'


def _rest(routes: Sequence[Route]) -> str:
    return " REST: " + ", ".join(f"`{route.method} /v1{route.path}`" for route in routes) + "." if routes else ""


def _interface(name: str, entries: Iterable[str]) -> str:
    body = textwrap.indent("".join(entries), "  ")
    return f"export interface {name} {{\n{body}}}\n" if body else f"export interface {name} {{}}\n"


def _error_codes() -> str:
    codes = [(json.dumps(error.code), error.message) for error in COMMON_ERRORS]
    always = [(json.dumps(error.code), "") for error in ALWAYS_POSSIBLE]
    return (
        comment("Why a command failed. A code never changes its meaning.")
        + _union("ErrorCode", codes)
        + "\n"
        + comment("The errors that every command may answer.")
        + _union("AlwaysPossible", always)
    )


def _close_codes() -> str:
    codes = []
    for close in CLOSE_REASONS:
        then = "connect again" if close.reconnect else "do not connect again as before"
        codes.append((str(close.code), f"{close.reason}: {then}{', and recover' if close.resumable else ''}."))
    return comment("The close codes of a WebSocket, each with its reason.") + _union("CloseCode", codes)


def _union(name: str, options: Sequence[tuple[str, str]]) -> str:
    lines = (textwrap.indent(comment(meaning) + f"| {option}\n", "  ") for option, meaning in options)
    return f"export type {name} =\n{''.join(lines).removesuffix(chr(10))};\n"


def _pascal(namespace: str) -> str:
    """The name of a namespace in names of types."""
    return "".join(word.capitalize() for word in re.findall(r"[A-Za-z0-9]+", namespace))

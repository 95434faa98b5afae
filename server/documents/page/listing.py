"""What the page shows of a registry: commands, pushes, Collections and models, ready for its template."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from realtime.contract.collections import Collection
from realtime.contract.declarations import EVERY_NAMESPACE, Access, Command, Push, Repeat
from realtime.contract.errors import ALWAYS_POSSIBLE, TOKEN_EXPIRED, UNAUTHENTICATED, ErrorCode
from server.documents.page.fields import FieldRow, field_rows, referred
from server.documents.page.samples import CodeSample, code_samples
from server.documents.wire_schemas import WireSchemas
from server.pipeline.registry import Registry

REPEATS = {
    Repeat.READ: "Changes nothing.",
    Repeat.SETS_STATE: "Has no further effect: it sets a state.",
    Repeat.CLIENT_ID: "With the same `client_id` it answers with what was created, and creates nothing.",
    Repeat.ACTS: "Takes effect again.",
}
CALLERS = {Access.ANYONE: "Anyone", Access.PERSON: "Whoever is logged in"}

_NAMES_OF_SPANS = {1: "second", 60: "minute", 3600: "hour"}


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model with its fields, those that are required first."""

    name: str
    description: str
    fields: Sequence[FieldRow]


@dataclass(frozen=True, slots=True)
class ListedCommand:
    command: Command[Any, Any]
    caller: str
    repeat: str
    limit: str
    payload: ListedModel
    answer: ListedModel
    always: Sequence[ErrorCode]
    samples: Sequence[CodeSample]


@dataclass(frozen=True, slots=True)
class ListedPush:
    push: Push[Any]
    model: ListedModel
    namespaces: Sequence[str]
    follows: str | None
    """The numbered push after which this one repeats the position."""


@dataclass(frozen=True, slots=True)
class ListedCollection:
    collection: Collection[Any]
    model: str


@dataclass(frozen=True, slots=True)
class ListedNamespace:
    name: str
    commands: Sequence[ListedCommand]
    pushes: Sequence[ListedPush]


class Listing:
    """Everything that the page lists. `models` are those that stand inside of others, by name."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._schemas = WireSchemas(registry)
        self._follows = {
            push.position.push.name: push.name for push in registry.pushes.values() if push.position is not None
        }
        self.namespaces = [self._namespace(name) for name in registry.namespaces]
        self.everywhere = [self._push(push) for push in registry.pushes.values() if EVERY_NAMESPACE in push.also_in]
        self.collections = [
            ListedCollection(collection, self._schemas.named(self._schemas.item(collection))[0])
            for collection in registry.collections.values()
        ]
        self.models = self._inner_models()

    def names(self) -> frozenset[str]:
        """The commands and pushes, each of which has an anchor of its name."""
        commands = {bound.command.name for bound in self._registry.commands()}
        return frozenset(commands | self._registry.pushes.keys())

    def _namespace(self, name: str) -> ListedNamespace:
        commands = [
            self._command(bound.command) for bound in self._registry.commands() if bound.command.namespace == name
        ]
        pushes = [
            self._push(push)
            for push in self._registry.pushes.values()
            if push.namespace == name and EVERY_NAMESPACE not in push.also_in
        ]
        return ListedNamespace(name, commands, pushes)

    def _command(self, command: Command[Any, Any]) -> ListedCommand:
        for_persons = (UNAUTHENTICATED, TOKEN_EXPIRED) if command.access is Access.PERSON else ()
        return ListedCommand(
            command=command,
            caller=CALLERS[command.access],
            repeat=REPEATS[command.repeat],
            limit=_rate(command),
            payload=self._model(self._schemas.payload(command)),
            answer=self._model(self._schemas.answer(command)),
            always=[code for code in (*for_persons, *ALWAYS_POSSIBLE) if code not in command.errors],
            samples=code_samples(command),
        )

    def _push(self, push: Push[Any]) -> ListedPush:
        also = [name for name in push.also_in if name != EVERY_NAMESPACE]
        namespaces = ["every namespace"] if EVERY_NAMESPACE in push.also_in else [push.namespace, *also]
        return ListedPush(push, self._model(self._schemas.push(push)), namespaces, self._follows.get(push.name))

    def _model(self, ref: dict[str, Any]) -> ListedModel:
        return _model_entry(*self._schemas.named(ref))

    def _inner_models(self) -> list[ListedModel]:
        components = self._schemas.components
        inner = {name for schema in components.values() for name in referred(schema)}
        inner |= {entry.model for entry in self.collections}
        return [_model_entry(name, components[name]) for name in sorted(inner)]


def _model_entry(name: str, schema: dict[str, Any]) -> ListedModel:
    return ListedModel(name, schema.get("description", ""), field_rows(schema))


def _rate(command: Command[Any, Any]) -> str:
    """The limit in words: `30 a minute for each user`."""
    rate = command.rate
    span = _NAMES_OF_SPANS.get(int(rate.per_s))
    every = f"a {span}" if span else f"in {int(rate.per_s) // 60} minutes"
    whose = "network address" if command.access is Access.ANYONE else "user"
    return f"{rate.count} {every.replace('a hour', 'an hour')} for each {whose}"

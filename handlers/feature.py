"""A feature as a value: its commands with their operations, what it says, what it reacts to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


from handlers.context import Context, Outcome, Reaction
from realtime.contract import AckT, Command, Fact, ModelT, PayloadT, Push

Operation = Callable[[Context, Any], Awaitable[Outcome[Any]]]
Reactor = Callable[[Context, Any], Awaitable[Reaction]]
EntryRooms = Callable[[Context], Awaitable[list[str]]]


@dataclass(frozen=True, slots=True)
class BoundCommand:
    """A command and the operation that carries it out."""

    command: Command[Any, Any]
    operation: Operation


def bind(
    command: Command[PayloadT, AckT], operation: Callable[[Context, PayloadT], Awaitable[Outcome[AckT]]]
) -> BoundCommand:
    """Ties a command to its operation; the type checker compares payload and answer."""
    return BoundCommand(command, operation)


@dataclass(frozen=True, slots=True)
class FactHandler:
    fact: Fact[Any]
    react: Reactor


def on(fact: Fact[ModelT], react: Callable[[Context, ModelT], Awaitable[Reaction]]) -> FactHandler:
    """Ties a Fact to a reaction; the type checker compares the model."""
    return FactHandler(fact, react)


@dataclass(frozen=True, slots=True)
class Consumer:
    """A named reader of Facts: it gets each one at least once, and its effect is stored exactly once."""

    name: str
    handlers: tuple[FactHandler, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Everything that a feature brings; listed explicitly in `server/features.py`.

    `entry_rooms` names, per namespace, the rooms that a person's session enters before its CONNECT is answered.
    """

    name: str
    commands: tuple[BoundCommand, ...]
    pushes: tuple[Push[Any], ...] = ()
    facts: tuple[Fact[Any], ...] = ()
    consumers: tuple[Consumer, ...] = ()
    entry_rooms: Mapping[str, EntryRooms] = field(default_factory=dict)



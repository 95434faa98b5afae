"""A feature as a value: its commands with their operations, what it says, what it reacts to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handlers.context import Beforehand, Context, Outcome, Reaction, Refusal
from realtime.contract import AckT, Command, Fact, ModelT, PayloadT, Push
from sql.catalogue import Queries
from sql.ids import UserId
from sql.unit import Connection

Operation = Callable[[Context, Any, Any], Awaitable[Outcome[Any] | Refusal]]
Preparation = Callable[[Beforehand, Any], Awaitable[Any]]
Reactor = Callable[[Context, Any], Awaitable[Reaction]]
EntryRooms = Callable[[Connection, Queries, Sequence[UserId]], Awaitable[Mapping[UserId, Sequence[str]]]]
"""For many people at once, since they come back at once; whoever has none may be absent."""

PreparedT = TypeVar("PreparedT")


@dataclass(frozen=True, slots=True)
class BoundCommand:
    """A command, the operation that carries it out, and what is to be done before its unit of work opens."""

    command: Command[Any, Any]
    operation: Operation
    before: Preparation


def bind(
    command: Command[PayloadT, AckT], operation: Callable[[Context, PayloadT], Awaitable[Outcome[AckT] | Refusal]]
) -> BoundCommand:
    """Ties a command to its operation; the type checker compares payload and answer."""

    async def nothing(beforehand: Beforehand, payload: PayloadT) -> None:
        return None

    def call(context: Context, payload: PayloadT, prepared: None) -> Awaitable[Outcome[AckT] | Refusal]:
        return operation(context, payload)

    return BoundCommand(command, call, nothing)


def bind_prepared(
    command: Command[PayloadT, AckT],
    before: Callable[[Beforehand, PayloadT], Awaitable[PreparedT]],
    operation: Callable[[Context, PayloadT, PreparedT], Awaitable[Outcome[AckT] | Refusal]],
) -> BoundCommand:
    """As `bind`, for a command with slow work that must not hold a connection; the operation gets its result."""
    return BoundCommand(command, operation, before)


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

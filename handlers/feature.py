"""A feature as a value: its commands with their operations, what it says, what it reacts to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handlers.context import Call, Context, Outcome, PrepareContext, Reaction, Refusal
from realtime.contract.declarations import AckT, Command, Fact, ModelT, PayloadT, Push
from sql.catalogue import Queries
from sql.ids import UserId
from sql.unit import SqlConnection

Reactor = Callable[[Context, Any], Awaitable[Reaction]]
EntryRooms = Callable[[SqlConnection, Queries, Sequence[UserId]], Awaitable[Mapping[UserId, Sequence[str]]]]
"""For many people at once, since they come back at once; whoever has none may be absent."""

PreparedT = TypeVar("PreparedT")


@dataclass(frozen=True, slots=True)
class WithSql:
    """An operation in a unit of work. `before` is what is done before that opens; None: nothing."""

    operate: Callable[[Context, Any, Any], Awaitable[Outcome[Any] | Refusal]]
    before: Callable[[PrepareContext, Any], Awaitable[Any]] | None = None


@dataclass(frozen=True, slots=True)
class WithoutSql:
    """An operation that gets no connection."""

    operate: Callable[[Call, Any], Awaitable[Outcome[Any]]]


@dataclass(frozen=True, slots=True)
class BoundCommand:
    """A command and the operation that carries it out."""

    command: Command[Any, Any]
    work: WithSql | WithoutSql


def bind_command(
    command: Command[PayloadT, AckT], operation: Callable[[Context, PayloadT], Awaitable[Outcome[AckT] | Refusal]]
) -> BoundCommand:
    """Ties a command to its operation; the type checker compares payload and answer."""

    def operate(context: Context, payload: PayloadT, prepared: None) -> Awaitable[Outcome[AckT] | Refusal]:
        return operation(context, payload)

    return BoundCommand(command, WithSql(operate))


def bind_prepared(
    command: Command[PayloadT, AckT],
    before: Callable[[PrepareContext, PayloadT], Awaitable[PreparedT]],
    operation: Callable[[Context, PayloadT, PreparedT], Awaitable[Outcome[AckT] | Refusal]],
) -> BoundCommand:
    """For a command with slow work that must not hold a connection; the operation gets the result of that work."""
    return BoundCommand(command, WithSql(operation, before))


def bind_without_sql(
    command: Command[PayloadT, AckT], operation: Callable[[Call, PayloadT], Awaitable[Outcome[AckT]]]
) -> BoundCommand:
    """For a command that declares `Unit.NONE`: to the type checker, its operation has no connection."""
    return BoundCommand(command, WithoutSql(operation))


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
    `polled_topics` names, per namespace, the topics that a long-polling client hears without asking for them.
    """

    name: str
    commands: tuple[BoundCommand, ...]
    pushes: tuple[Push[Any], ...] = ()
    facts: tuple[Fact[Any], ...] = ()
    consumers: tuple[Consumer, ...] = ()
    entry_rooms: Mapping[str, EntryRooms] = field(default_factory=dict)
    polled_topics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

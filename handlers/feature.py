"""A feature as a value: its commands with their operations, its pushes, and its consumers of Facts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from handlers.collections import BoundCollection
from handlers.context import Call, Context, Outcome, PrepareContext, Reaction, Refusal
from realtime.contract.declarations import AckT, Command, Fact, ModelT, PayloadT, Push
from realtime.contract.encoded import Encoded
from sql.database import Database
from sql.ids import UserId

Reactor = Callable[[Context, Sequence[Any]], Awaitable[Reaction]]
EntryRooms = Callable[[Database, Sequence[UserId]], Awaitable[Mapping[UserId, Sequence[str]]]]
"""Reads the rooms of many users in one go, since many reconnect at once; users without rooms may be absent."""

PreparedT = TypeVar("PreparedT")

Answered = Outcome[AckT] | Outcome[Encoded[AckT]] | Refusal
"""The result of an operation whose command answers with such a model."""


@dataclass(frozen=True, slots=True)
class UnitOperation:
    """An operation in a unit of work."""

    run: Callable[[Context, Any], Awaitable[Outcome[Any] | Refusal]]


@dataclass(frozen=True, slots=True)
class PreparedOperation:
    """An operation in a unit of work; `prepare` runs before the unit opens, `undo` after a unit that failed."""

    prepare: Callable[[PrepareContext, Any], Awaitable[Any]]
    run: Callable[[Context, Any, Any], Awaitable[Outcome[Any] | Refusal]]
    undo: Callable[[PrepareContext], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class PlainOperation:
    """An operation without a database."""

    run: Callable[[Call, Any], Awaitable[Outcome[Any]]]


@dataclass(frozen=True, slots=True)
class BoundCommand:
    """A command with its operation."""

    command: Command[Any, Any]
    operation: UnitOperation | PreparedOperation | PlainOperation


def bind_command(
    command: Command[PayloadT, AckT], operation: Callable[[Context, PayloadT], Awaitable[Answered[AckT]]]
) -> BoundCommand:
    """Binds a command to its operation; the type checker compares payload and answer."""
    return BoundCommand(command, UnitOperation(operation))


def bind_prepared_command(
    command: Command[PayloadT, AckT],
    prepare: Callable[[PrepareContext, PayloadT], Awaitable[PreparedT]],
    operation: Callable[[Context, PayloadT, PreparedT], Awaitable[Answered[AckT]]],
    *,
    undo: Callable[[PrepareContext], Awaitable[None]] | None = None,
) -> BoundCommand:
    """For a command with slow work that must not hold a connection; the operation gets what `prepare` returned.

    `undo` takes back what `prepare` did, when the operation raised an error or could not be committed.
    """
    return BoundCommand(command, PreparedOperation(prepare, operation, undo))


def bind_plain_command(
    command: Command[PayloadT, AckT], operation: Callable[[Call, PayloadT], Awaitable[Outcome[AckT]]]
) -> BoundCommand:
    """For a command that declares `Unit.NONE`: by its type, the operation has no database."""
    return BoundCommand(command, PlainOperation(operation))


@dataclass(frozen=True, slots=True)
class FactHandler:
    fact: Fact[Any]
    react: Reactor


def on(fact: Fact[ModelT], react: Callable[[Context, Sequence[ModelT]], Awaitable[Reaction]]) -> FactHandler:
    """Binds a Fact to a reaction to many of them at once; the type checker compares the model.

    It has no transaction: `ctx.db` is for reads, and what it does in Redis may be repeated.
    """
    return FactHandler(fact, react)


def on_each(fact: Fact[ModelT], react: Callable[[Context, ModelT], Awaitable[Reaction]]) -> FactHandler:
    """Binds a Fact to a reaction to a single one; those to the Facts of a batch run at the same time."""

    async def react_to_all(ctx: Context, batch: Sequence[ModelT]) -> Reaction:
        results = await asyncio.gather(*(react(ctx, data) for data in batch), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return combined([result for result in results if isinstance(result, Reaction)])

    return FactHandler(fact, react_to_all)


def combined(reactions: Sequence[Reaction]) -> Reaction:
    """All of them as one."""
    stores = [reaction.store for reaction in reactions if reaction.store is not None]

    async def store_all(db: Database) -> None:
        for store in stores:
            await store(db)

    return Reaction(
        pushes=tuple(push for reaction in reactions for push in reaction.pushes),
        facts=tuple(fact for reaction in reactions for fact in reaction.facts),
        signals=tuple(signal for reaction in reactions for signal in reaction.signals),
        store=store_all if stores else None,
    )


@dataclass(frozen=True, slots=True)
class Consumer:
    """A named consumer of Facts: each reaches it at least once, and what it stores is stored exactly once.

    A new one begins with the oldest Fact that is kept, or with `from_now` with those committed from then on. One that
    is to react to other Facts than before gets another name, or is rewound: older Facts of theirs were passed over.
    """

    name: str
    handlers: tuple[FactHandler, ...]
    from_now: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """Everything that a feature declares; listed explicitly in `server/features.py`.

    `entry_rooms` reads, per namespace, the rooms that a user's session joins before its CONNECT is answered.
    `polled_topics` names, per namespace, the topics that a long-polling client is subscribed to without asking.
    """

    name: str
    commands: tuple[BoundCommand, ...]
    pushes: tuple[Push[Any], ...] = ()
    facts: tuple[Fact[Any], ...] = ()
    consumers: tuple[Consumer, ...] = ()
    collections: tuple[BoundCollection, ...] = ()
    entry_rooms: Mapping[str, EntryRooms] = field(default_factory=dict)
    polled_topics: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

"""Runs operations with what they work on: a transaction, single statements, or no connection."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from handlers.context import Call, Caller, Context, Outcome, PrepareContext, RaisedFact, Refusal
from handlers.feature import BoundCommand, PreparedOperation, UnitOperation
from handlers.ports import CallerSession, Services
from realtime.contract.declarations import Command, Unit
from realtime.contract.errors import INVALID_PAYLOAD, CommandError
from realtime.contract.wire import encode_model
from sql.database import Database
from sql.errors import BadText, Retry, Unavailable
from sql.unit import Units

TRIES_AFTER_CONTENTION = 4


class UnitRunner:
    """Opens a unit of work, runs the operation in it, and commits it. The caller publishes pushes and signals."""

    def __init__(self, units: Units, services: Services) -> None:
        self._units = units
        self._services = services

    async def run(
        self, bound: BoundCommand, payload: Any, caller: Caller, session: CallerSession
    ) -> Outcome[Any] | Refusal:
        """Runs the operation of a command; when it returns, the change and its Facts are committed.

        Runs it again after a deadlock or a serialization failure, TRIES_AFTER_CONTENTION times in all.
        """
        command, operation = bound.command, bound.operation
        if isinstance(operation, UnitOperation):
            return await self._run_in_unit(command, operation.run, caller, session, (payload,))
        if isinstance(operation, PreparedOperation):
            before = PrepareContext(caller, session, self._services, self._units.reads)
            prepared = await operation.prepare(before, payload)
            try:
                return await self._run_in_unit(command, operation.run, caller, session, (payload, prepared))
            except BaseException:
                if operation.undo is not None:
                    await operation.undo(before)
                raise
        outcome = await operation.run(Call(caller, session, self._services), payload)
        _require_transaction(command.unit, outcome.facts)
        return outcome

    async def _run_in_unit(
        self,
        command: Command[Any, Any],
        operation: Callable[..., Awaitable[Outcome[Any] | Refusal]],
        caller: Caller,
        session: CallerSession,
        arguments: Sequence[Any],
    ) -> Outcome[Any] | Refusal:
        for remaining in reversed(range(TRIES_AFTER_CONTENTION)):
            try:
                if command.unit is Unit.TRANSACTION:
                    async with self._units.write() as db:
                        outcome = await operation(self._context(caller, session, db), *arguments)
                        await store_facts(db, outcome.facts)
                    return outcome
                single = self._units.single_writes if command.writes else self._units.reads
                outcome = await operation(self._context(caller, session, single), *arguments)
                _require_transaction(command.unit, outcome.facts)
                return outcome
            except BadText:
                raise CommandError(INVALID_PAYLOAD, "The text holds characters that cannot be stored.") from None
            except Retry as error:
                if not remaining:
                    raise Unavailable("contention did not end") from error
        raise AssertionError("unreachable")

    def _context(self, caller: Caller, session: CallerSession, db: Database) -> Context:
        return Context(caller, session, self._services, db)


async def store_facts(db: Database, facts: Sequence[RaisedFact]) -> None:
    """Adds Facts to the log, in the transaction of their change."""
    if facts:
        await db.facts.insert_facts(
            names=[raised.fact.name for raised in facts],
            payloads=[encode_model(raised.data).decode() for raised in facts],
            keys=[raised.fact.key_of(raised.data) for raised in facts],
        )


def _require_transaction(unit: Unit, facts: Sequence[RaisedFact]) -> None:
    if facts and unit is not Unit.TRANSACTION:
        raise RuntimeError("an operation without a transaction raised a Fact")

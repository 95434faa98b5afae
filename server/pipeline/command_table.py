"""The commands as the pipeline uses them, with everything that can be computed before the first call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter

from handlers.feature import BoundCommand
from realtime.contract.declarations import Access
from realtime.contract.errors import ALWAYS_POSSIBLE, TOKEN_EXPIRED, UNAUTHENTICATED, ErrorCode
from realtime.contract.rate_limit import RateLimit
from server.monitoring.command_tallies import CommandTallies, CommandTally
from server.pipeline.registry import Registry

UNKNOWN_COMMAND_RATE: Final = RateLimit(30, 60)
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """How a call is limited and counted, whether or not its command exists.

    `by_address`: the limit is per address, also for authenticated callers.
    """

    name: str
    rate: RateLimit
    by_address: bool
    tally: CommandTally


@dataclass(frozen=True, slots=True)
class KnownCommand(CommandEntry):
    """A command that exists. `validate` makes the payload model from decoded JSON."""

    bound: BoundCommand
    for_persons: bool
    max_bytes: int
    validate: Callable[[object], BaseModel]
    errors: frozenset[ErrorCode]


class CommandTable:
    """Built once at start, so that a call needs no more than a look-up."""

    def __init__(self, registry: Registry, tallies: CommandTallies, *, rate_limit_factor: float) -> None:
        self._tallies = tallies
        self._factor = rate_limit_factor
        self._by_namespace: dict[tuple[str, str], KnownCommand] = {}
        self._in_any_namespace: dict[str, KnownCommand] = {}
        for bound in registry.commands():
            command = bound.command
            entry = self._by_namespace[command.namespace, command.name] = self._entry(bound)
            if command.any_namespace:
                self._in_any_namespace[command.name] = entry
        self._unknown = CommandEntry(
            _UNKNOWN, UNKNOWN_COMMAND_RATE.scaled(rate_limit_factor), False, tallies.of(_UNKNOWN)
        )

    def find(self, namespace: str, name: str) -> CommandEntry:
        """The KnownCommand of this name; for an unknown name the entry that all unknown commands share."""
        return self._by_namespace.get((namespace, name)) or self._in_any_namespace.get(name) or self._unknown

    def _entry(self, bound: BoundCommand) -> KnownCommand:
        command = bound.command
        validator: Any = TypeAdapter(command.payload).validator
        return KnownCommand(
            name=command.name,
            rate=command.rate.scaled(self._factor),
            # A caller who is logged in must not get a second allowance for registrations and logins.
            by_address=command.access is Access.ANYONE,
            tally=self._tallies.of(command.name),
            bound=bound,
            for_persons=command.access is Access.PERSON,
            max_bytes=command.max_bytes,
            validate=validator.validate_python,
            errors=frozenset((*ALWAYS_POSSIBLE, UNAUTHENTICATED, TOKEN_EXPIRED, *command.errors)),
        )

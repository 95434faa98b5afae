"""Commands with everything that the pipeline can work out before anybody calls them."""

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
class Admission:
    """How a call is counted, whether or not there is such a command. `by_address`: whoever calls."""

    name: str
    rate: RateLimit
    by_address: bool
    tally: CommandTally


@dataclass(frozen=True, slots=True)
class ReadyCommand(Admission):
    """A command as the pipeline uses it. `validate` makes the payload of a decoded value."""

    bound: BoundCommand
    for_persons: bool
    max_bytes: int
    validate: Callable[[object], BaseModel]
    errors: frozenset[ErrorCode]


class ReadyCommands:
    """Made once at start: what is asked for at every call is a look into a table."""

    def __init__(self, registry: Registry, tallies: CommandTallies, *, rate_limit_factor: float) -> None:
        self._tallies = tallies
        self._factor = rate_limit_factor
        self._by_place: dict[tuple[str, str], ReadyCommand] = {}
        self._everywhere: dict[str, ReadyCommand] = {}
        for bound in registry.commands():
            command = bound.command
            ready = self._by_place[command.namespace, command.name] = self._ready(bound)
            if command.any_namespace:
                self._everywhere[command.name] = ready
        self._unknown = Admission(_UNKNOWN, UNKNOWN_COMMAND_RATE.scaled(rate_limit_factor), False, tallies.of(_UNKNOWN))

    def find(self, namespace: str, name: str) -> Admission:
        """The command of this name; for a name that there is not, only how such calls are counted."""
        return self._by_place.get((namespace, name)) or self._everywhere.get(name) or self._unknown

    def _ready(self, bound: BoundCommand) -> ReadyCommand:
        command = bound.command
        validator: Any = TypeAdapter(command.payload).validator
        return ReadyCommand(
            name=command.name,
            rate=command.rate.scaled(self._factor),
            # A login is no way around the limits of registering and logging in.
            by_address=command.access is Access.ANYONE,
            tally=self._tallies.of(command.name),
            bound=bound,
            for_persons=command.access is Access.PERSON,
            max_bytes=command.max_bytes,
            validate=validator.validate_python,
            errors=frozenset((*ALWAYS_POSSIBLE, UNAUTHENTICATED, TOKEN_EXPIRED, *command.errors)),
        )

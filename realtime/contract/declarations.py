"""The three nouns of everything that moves, as declarations: Command, Push, Fact.

A declaration is a frozen value in its feature's `contract.py`. The socket handler, the REST route, the documents and
the registry-wide tests are derived from it; nothing about a command is written a second time elsewhere.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel

from realtime.contract.errors import ErrorCode
from realtime.contract.rate_limit import RateLimit

PayloadT = TypeVar("PayloadT", bound=BaseModel)
AckT = TypeVar("AckT", bound=BaseModel)
ModelT = TypeVar("ModelT", bound=BaseModel)

AUTH_NAMESPACE = "/auth"
DEFAULT_MAX_BYTES = 64 * 1024


class Access(enum.Enum):
    """Who may call a command."""

    ANYONE = "anyone"
    PERSON = "person"


class Repeat(enum.Enum):
    """What a second call with the same payload does."""

    READ = "read"
    """It changes nothing at all."""
    SETS_STATE = "sets_state"
    """It sets a state: a repeat finds it set and causes nothing."""
    CLIENT_ID = "client_id"
    """It creates: a repeat with the same `client_id` is answered with what was created."""
    ACTS = "acts"
    """Each call acts anew (a login makes a new login session)."""


class Unit(enum.Enum):
    """What an operation gets of PostgreSQL."""

    TRANSACTION = "transaction"
    """A connection in a transaction: all of it is committed, its Facts too, or nothing."""
    STATEMENTS = "statements"
    """A connection; each statement is committed by itself, so that at most one may write. It cannot tell Facts."""
    NONE = "none"
    """No connection: it works with what this process holds. It cannot tell Facts."""


@dataclass(frozen=True, slots=True)
class Route:
    """The REST twin of a command. `path` is below `/v1`; `{names}` in it are payload fields; `status` of success.

    `{caller_id}` is no field: it is the caller's own id, or `me`; anybody else's is `forbidden`. `renamed` maps what
    old clients call a field to its name.
    """

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    status: int = 200
    renamed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Command(Generic[PayloadT, AckT]):
    """A request that is always answered: the answer says what was durably done, or why not.

    `effect` is one sentence for the documents. `example` is a payload that fits; ids in it stand for real ones.
    `errors` are the codes it may answer beside those that every command may. `works_on` is what its operation gets of
    PostgreSQL; None: a transaction where it writes, single statements where it reads.
    """

    name: str
    namespace: str
    payload: type[PayloadT]
    ack: type[AckT]
    effect: str
    repeat: Repeat
    rate: RateLimit
    example: Mapping[str, Any] = field(default_factory=dict)
    access: Access = Access.PERSON
    errors: tuple[ErrorCode, ...] = ()
    max_bytes: int = DEFAULT_MAX_BYTES
    routes: tuple[Route, ...] = ()
    any_namespace: bool = False
    """True for the few commands that every namespace takes (`auth:renew`)."""
    works_on: Unit | None = None

    @property
    def writes(self) -> bool:
        """True when it may change something."""
        return self.repeat is not Repeat.READ

    @property
    def unit(self) -> Unit:
        """What its operation gets of PostgreSQL."""
        return self.works_on or (Unit.TRANSACTION if self.writes else Unit.STATEMENTS)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LastPosition(Generic[ModelT]):
    """What is told again within 10 s after a numbered push to a room: how far its numbers go.

    Whoever has missed the last push notices it by that. `push` is volatile; `of` makes its data, and `number` tells the
    number, from the data of the numbered push.
    """

    push: Push[Any]
    of: Callable[[ModelT], BaseModel]
    number: Callable[[ModelT], int]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Push(Generic[ModelT]):
    """A hint from server to client, delivered at most once; the same bytes for everybody who gets it.

    `audience` is one sentence for the documents: who hears it. A `volatile` push is never kept and never replayed.
    A push `about_connection` is not given to long-polling clients: each poll shows its token, and is answered by it.
    """

    name: str
    namespace: str
    model: type[ModelT]
    audience: str
    volatile: bool = False
    about_connection: bool = False
    then: LastPosition[ModelT] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fact(Generic[ModelT]):
    """Something that durably happened, told at least once to every consumer that reacts to it.

    `model` holds ids only: a consumer reads the present state and sets its result; repeats and disorder are harmless.
    """

    name: str
    model: type[ModelT]

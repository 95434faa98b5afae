"""What an operation is given and what it returns."""

from __future__ import annotations

import datetime
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import BaseModel

from handlers.ports import CallerSession, Services
from realtime.contract.declarations import Fact
from realtime.contract.emissions import Emission, Signal
from realtime.contract.encoded import Encoded
from realtime.contract.errors import CommandError
from realtime.contract.identity import Identity
from sql.database import Database
from sql.ids import UserId

AckT_co = TypeVar("AckT_co", bound=BaseModel | Encoded[Any], covariant=True)


class Caller(NamedTuple):
    """The caller. `identity` is None for anonymous callers and for consumers of Facts."""

    identity: Identity | None
    address: str
    user_agent: str | None

    @property
    def user_id(self) -> UserId:
        """The caller's user; only for commands that are not open to anonymous callers."""
        if self.identity is None:
            raise RuntimeError("an operation open to anonymous callers asked for the caller's user")
        return UserId(self.identity.user_id)


@dataclass(slots=True)
class Call:
    """One call: the caller, and everything an operation may use beside SQL."""

    caller: Caller
    session: CallerSession
    services: Services

    @property
    def user_id(self) -> UserId:
        """The caller's user; only for commands that are not open to anonymous callers."""
        return self.caller.user_id

    def now(self) -> datetime.datetime:
        return self.services.clock.now()


@dataclass(slots=True)
class PrepareContext(Call):
    """A call before its unit of work opens, for work that must not hold a connection: hashing a password, using Redis.

    `reads` is for queries that only read; each is a statement of its own.
    """

    reads: Database


@dataclass(slots=True)
class Context(Call):
    """A call in its unit of work. `db` is in a transaction or not, as the command declares."""

    db: Database


class RaisedFact(NamedTuple):
    """A Fact with its data, to be stored in the transaction of the change."""

    fact: Fact[Any]
    data: BaseModel


class Outcome(NamedTuple, Generic[AckT_co]):
    """The result of a call: the answer, and the pushes, Facts and signals to send after the commit.

    `stored_facts` names Facts that the operation's statement has stored itself: only their consumers have to be woken.
    """

    data: AckT_co
    pushes: tuple[Emission, ...] = ()
    facts: tuple[RaisedFact, ...] = ()
    signals: tuple[Signal, ...] = ()
    stored_facts: tuple[Fact[Any], ...] = ()


class Refusal(NamedTuple):
    """An error with an effect: the operation's writes are committed, its pushes sent, and the caller gets the error."""

    error: CommandError
    pushes: tuple[Emission, ...] = ()
    facts: tuple[RaisedFact, ...] = ()
    signals: tuple[Signal, ...] = ()


class Reaction(NamedTuple):
    """The result of a consumer's reaction to Facts.

    `store` writes its effects in SQL, for all Facts of the batch by a few statements; it runs in the transaction in
    which the Facts come to count as read, so exactly once. Pushes and signals are sent at least once where nothing is
    stored (before the Facts count as read), else at most once (after the commit).
    """

    pushes: tuple[Emission, ...] = ()
    facts: tuple[RaisedFact, ...] = ()
    signals: tuple[Signal, ...] = ()
    store: Callable[[Database], Awaitable[None]] | None = None

"""What an operation is given and what it gives back.

The Protocols are what operations need from outside SQL; `server/composition/pipeline.py` fills them in.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from pydantic import BaseModel

from realtime.contract.declarations import Fact
from realtime.contract.emissions import Emission, Signal
from realtime.contract.errors import CommandError
from realtime.contract.identity import Identity
from realtime.limits.limiter import Limiter
from sql.catalogue import Queries
from sql.ids import UserId
from sql.unit import SqlConnection

AckT_co = TypeVar("AckT_co", bound=BaseModel, covariant=True)


class Clock(Protocol):
    """The time, as tests may set it."""

    def now(self) -> datetime.datetime:
        """The present, aware and in UTC."""
        ...

    def now_s(self) -> float:
        """The present in Unix seconds."""
        ...


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str
    expires_in_s: int


class TokenIssuer(Protocol):
    """Makes and reads the credentials of a login session."""

    def access_token(self, user_id: int, login_session_id: int) -> IssuedToken: ...

    def identify(self, access_token: str) -> Identity:
        """Who holds this token. Raises CommandError: `token_expired`, or `unauthenticated` for all else."""
        ...

    def refresh_token(self) -> str:
        """A new random refresh token."""
        ...

    def successors(self, refresh_token: str) -> Sequence[str]:
        """The refresh token that follows this one: the same for every call, so that a lost answer can be repeated.

        The first is what this node gives out; the others are what nodes with another first key would have given.
        """
        ...

    def fingerprint(self, refresh_token: str) -> bytes:
        """What is stored of a refresh token; the token cannot be found from it."""
        ...


@dataclass(frozen=True, slots=True)
class PasswordVerdict:
    """`upgraded_hash` is set where the stored hash was of a weaker kind and should be replaced."""

    correct: bool
    upgraded_hash: str | None = None


class PasswordHasher(Protocol):
    """argon2id, off the event loop, a bounded number at a time."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, stored_hash: str | None, password: str) -> PasswordVerdict:
        """Takes as long for None, the hash of nobody, as for a real one."""
        ...


class FeedStore(Protocol):
    """Home feeds: a bounded list of item ids per person, which SQL can rebuild. Raises StoreUnavailable when away."""

    async def push(self, owner_ids: Sequence[int], item_id: int) -> int:
        """Puts an item into those of the lists that exist; returns how many."""
        ...

    async def read(self, owner_id: int) -> FeedList | None:
        """None where there is no list, or somebody builds it just now."""
        ...

    async def begin_rebuild(self, owner_id: int) -> bytes | None:
        """Takes the lease to build a list; from here on pushes land in it. None while another holds the lease."""
        ...

    async def finish_rebuild(self, owner_id: int, token: bytes, ids: Sequence[int], floor: int) -> bool:
        """Puts the rows in. False when the list was forgotten or taken over meanwhile: then nothing was written."""
        ...

    async def forget(self, owner_ids: Sequence[int]) -> None: ...


class FeedList(Protocol):
    """`ids` newest first without doubles; every item above `floor` is in it, what lies below is SQL's to tell."""

    @property
    def ids(self) -> list[int]: ...

    @property
    def floor(self) -> int: ...


class Subscribers(Protocol):
    """Who listens to a topic at this moment, on any node. Raises StoreUnavailable when away."""

    async def listening(self, topic: str) -> Sequence[int]: ...


class PresenceReader(Protocol):
    """Who is online at this moment, on any node. Raises StoreUnavailable when away."""

    async def online(self, user_ids: Sequence[int]) -> set[int]: ...


class Meter(Protocol):
    """Counts what operations and consumers did, for those who run the system."""

    def count(self, name: str, amount: int) -> None: ...


class CallerSession(Protocol):
    """The caller's own connection, as far as an operation may steer it: what it hears from now on.

    When `subscribe` returns, every later push of the topic reaches the caller; so read after it, not before.
    """

    @property
    def is_live(self) -> bool:
        """False for REST, where there is nobody to push to."""
        ...

    async def subscribe(self, topic: str) -> None: ...

    async def unsubscribe(self, topic: str) -> None: ...

    async def watch(self, user_ids: Collection[int]) -> set[int]:
        """Lets the caller hear when these people come and go; returns those of them who are online.

        Blocks are looked at whenever there is something to hear. Raises CommandError `too_large` over 1,000 people.
        """
        ...

    async def unwatch(self, user_ids: Collection[int] | None) -> None:
        """The caller hears of these people no more; None: of nobody."""
        ...

    async def renew(self, identity: Identity) -> None:
        """Lets the connection live as long as this newer token of the same person and login session does."""
        ...


@dataclass(frozen=True, slots=True)
class Policy:
    """The numbers that operations decide by; from the settings."""

    refresh_token_ttl_s: int
    refresh_grace_s: int
    feed_page_default: int
    feed_list_max: int
    feed_fanout_max_followers: int
    rate_limit_factor: float
    version: str


@dataclass(frozen=True, slots=True)
class Services:
    """All that operations may ask for beside SQL."""

    clock: Clock
    tokens: TokenIssuer
    passwords: PasswordHasher
    feeds: FeedStore
    subscribers: Subscribers
    presence: PresenceReader
    limiter: Limiter
    meter: Meter
    policy: Policy


class Caller(NamedTuple):
    """Who calls, from where. `identity` is None for anonymous callers and for consumers of Facts."""

    identity: Identity | None
    address: str
    user_agent: str | None

    @property
    def user_id(self) -> UserId:
        """The person; only where a command is not open to anonymous callers."""
        if self.identity is None:
            raise RuntimeError("an operation open to anonymous callers asked who calls")
        return UserId(self.identity.user_id)


@dataclass(slots=True)
class Call:
    """One call: who calls, and all there is beside SQL."""

    caller: Caller
    session: CallerSession
    services: Services

    @property
    def user_id(self) -> UserId:
        """The caller; only for commands that are not open to anonymous callers."""
        return self.caller.user_id

    def now(self) -> datetime.datetime:
        return self.services.clock.now()


@dataclass(slots=True)
class PrepareContext(Call):
    """A call before its unit opens, for work that must not hold a connection (hashing a password, asking Redis).

    `read()` lends a connection without a transaction for as long as its block lasts.
    """

    sql: Queries
    read: Callable[[], AbstractAsyncContextManager[SqlConnection]]


@dataclass(slots=True)
class Context(Call):
    """A call in its unit of work: a connection, in a transaction or without one as the command declares."""

    sql: Queries
    connection: SqlConnection


class RaisedFact(NamedTuple):
    """A Fact with its data, to be stored in the transaction of the change."""

    fact: Fact[Any]
    data: BaseModel


class Outcome(NamedTuple, Generic[AckT_co]):
    """What a call did: the answer, and what others are to be told after the commit."""

    data: AckT_co
    pushes: tuple[Emission, ...] = ()
    facts: tuple[RaisedFact, ...] = ()
    signals: tuple[Signal, ...] = ()


class Refusal(NamedTuple):
    """A refusal with an effect: what the operation wrote is committed and told, then the caller gets the error."""

    error: CommandError
    pushes: tuple[Emission, ...] = ()
    facts: tuple[RaisedFact, ...] = ()
    signals: tuple[Signal, ...] = ()


class Reaction(NamedTuple):
    """What a consumer did about a Fact: as an Outcome, but nobody waits for an answer."""

    pushes: tuple[Emission, ...] = ()
    facts: tuple[RaisedFact, ...] = ()
    signals: tuple[Signal, ...] = ()

"""What operations need from outside SQL: Protocols, and `Services`, the bundle of their implementations.

`server/composition/pipeline.py` makes the bundle.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from realtime.bodies.body_cache import BodyCache
from realtime.contract.identity import Identity
from realtime.limits.limiter import Limiter


class Clock(Protocol):
    """The present time; tests set it."""

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
    """Makes and reads the tokens of a login session."""

    def access_token(self, user_id: int, login_session_id: int) -> IssuedToken: ...

    def identify(self, access_token: str) -> Identity:
        """The user and login session of a token. Raises CommandError: `token_expired`, else `unauthenticated`."""
        ...

    def refresh_token(self) -> str:
        """A new random refresh token."""
        ...

    def successors(self, refresh_token: str) -> Sequence[str]:
        """The refresh token that follows this one: the same at every call, so that a lost answer can be repeated.

        The first is the one that this node issues; the others are what nodes with another first key would have issued.
        """
        ...

    def fingerprint(self, refresh_token: str) -> bytes:
        """What is stored of a refresh token; the token cannot be computed from it."""
        ...


@dataclass(frozen=True, slots=True)
class PasswordVerdict:
    """`upgraded_hash` is set where the stored hash is of a weaker kind and should be replaced."""

    correct: bool
    upgraded_hash: str | None = None


class PasswordTurn(Protocol):
    """Leave to hash passwords, one after the other."""

    async def hash(self, password: str) -> str: ...

    async def verify(self, stored_hash: str | None, password: str) -> PasswordVerdict:
        """None stands for an unknown account: it takes as long as a real hash, and is never correct."""
        ...


class PasswordHasher(Protocol):
    """argon2id, off the event loop, a bounded number at a time."""

    def turn(self) -> AbstractAsyncContextManager[PasswordTurn]:
        """Waits until it is the caller's turn. Raises CommandError `unavailable` when too many wait."""
        ...

    async def hash(self, password: str) -> str:
        """Hashes one password in a turn of its own."""
        ...


class FeedStore(Protocol):
    """Home feeds: a bounded list of item ids per user, which SQL can rebuild. Raises StoreUnavailable when away."""

    async def push(self, owner_ids: Sequence[int], item_id: int) -> int:
        """Adds an item to those of the lists that exist; returns their number."""
        ...

    async def read(self, owner_id: int, *, below: int, count: int) -> FeedList | None:
        """The largest `count` ids below one; None where there is no list, or another caller is building it."""
        ...

    async def begin_rebuild(self, owner_id: int) -> bytes | None:
        """Takes the lease to build a list; from then on pushes are added to it. None while another holds the lease."""
        ...

    async def finish_rebuild(
        self, owner_id: int, token: bytes, ids: Sequence[int], floor: int, *, version: int
    ) -> bool:
        """Adds the ids read from SQL. False: the list was deleted or the lease was lost, and nothing was written."""
        ...

    async def forget(self, owner_ids: Sequence[int]) -> None:
        """Deletes the lists."""
        ...


class FeedList(Protocol):
    """`ids` newest first without doubles, with every item above `floor` that was asked for; SQL has those below it.

    `version` is the one that the list was built with.
    """

    @property
    def ids(self) -> list[int]: ...

    @property
    def floor(self) -> int: ...

    @property
    def version(self) -> int: ...


class Subscribers(Protocol):
    """The users who are subscribed to a topic now, on any node. Raises StoreUnavailable when Redis is away."""

    async def listening(self, topic: str) -> Sequence[int]: ...


class PresenceReader(Protocol):
    """The users who are online now, on any node. Raises StoreUnavailable when Redis is away."""

    async def online(self, user_ids: Sequence[int]) -> set[int]: ...


class CursorSeal(Protocol):
    """Makes cursors that clients cannot read a meaning into, or change."""

    def seal(self, content: bytes) -> str: ...

    def open(self, cursor: str) -> bytes | None:
        """The content; None for a text that is no cursor of ours."""
        ...


class Meter(Protocol):
    """Counts the work of operations and consumers, as metrics."""

    def count(self, name: str, amount: int) -> None: ...


class CallerSession(Protocol):
    """The caller's own session: an operation may change its subscriptions and its expiry.

    When `subscribe` returns, every later push of the topic reaches the caller; so read after it, not before.
    """

    @property
    def is_live(self) -> bool:
        """False for REST: such a caller gets no pushes."""
        ...

    async def subscribe(self, topic: str) -> None: ...

    async def unsubscribe(self, topic: str) -> None: ...

    async def enter(self, room: str) -> None:
        """Puts the caller into a room, and out of other rooms of the same scope; see `subscribe` for the order.

        Raises CommandError `too_large` for more rooms than a session may enter.
        """
        ...

    async def leave(self, scope: str) -> None:
        """Takes the caller out of the rooms of this scope that it entered."""
        ...

    async def watch(self, user_ids: Collection[int]) -> set[int]:
        """Subscribes the caller to the presence of these users; returns those of them who are online.

        Blocks are checked before each push. Raises CommandError `too_large` over 1,000 users.
        """
        ...

    async def unwatch(self, user_ids: Collection[int] | None) -> None:
        """Ends the watch of these users; None: of all."""
        ...

    async def renew(self, identity: Identity) -> None:
        """Moves the expiry of the connection to that of this newer token of the same user and login session."""
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
    registrations_per_hour: int
    version: str


@dataclass(frozen=True, slots=True)
class Services:
    """All that operations may use beside SQL."""

    clock: Clock
    tokens: TokenIssuer
    passwords: PasswordHasher
    feeds: FeedStore
    subscribers: Subscribers
    presence: PresenceReader
    limiter: Limiter
    meter: Meter
    cursor_seal: CursorSeal
    bodies: BodyCache
    policy: Policy

"""Ends connections whose access token runs out or whose login session is revoked, and warns those that can renew."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from handlers.accounts.contract import SESSION_REVOKED, TOKEN_EXPIRING, SessionRevoked, TokenExpiring
from handlers.context import Clock
from realtime.contract.errors import CLOSE_SESSION_REVOKED, CLOSE_TOKEN_EXPIRED, CloseReason
from realtime.contract.identity import Identity
from realtime.contract.wire import encode_model

WARN_BEFORE_S: Final = 60.0


class Timer(Protocol):
    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class WatchedSession(Protocol):
    def push_volatile(self, event: str, data: bytes) -> None: ...

    def disconnect(self) -> None: ...


class WatchedConnection(Protocol):
    """What the watch needs of `realtime.engine.session.connection.Connection`."""

    @property
    def id(self) -> str: ...

    @property
    def identity(self) -> object | None: ...

    @property
    def sessions(self) -> Mapping[str, WatchedSession]: ...

    def close(self, reason: CloseReason) -> None: ...


@dataclass(slots=True)
class _Watched:
    connection: WatchedConnection
    identity: Identity
    warned: bool
    timer: Timer


class TokenWatch:
    """One timer for each connection with a person; no task.

    The warning comes 60 s before the end, or after half of the life of tokens that live shorter than two minutes.
    `call_later` takes seconds and an action; None: the running loop's.
    """

    def __init__(self, clock: Clock, *, access_token_ttl_s: float, call_later: CallLater | None = None) -> None:
        self._clock = clock
        self._warn_before_s = min(WARN_BEFORE_S, access_token_ttl_s / 2)
        self._call_later = call_later
        self._watched: dict[str, _Watched] = {}
        self._by_login_session: dict[int, set[str]] = {}

    def arm(self, connection: WatchedConnection) -> None:
        """Watches the token that `connection.identity` tells of, in place of the one that was watched before.

        Nothing happens where it is watched already.
        """
        identity = connection.identity
        if not isinstance(identity, Identity):
            raise TypeError("an anonymous connection has no token")
        watched = self._watched.get(connection.id)
        if watched is not None and watched.identity == identity:
            return
        self.disarm(connection)
        timer = self._schedule(connection.id, identity.expires_at_s - self._warn_before_s)
        self._watched[connection.id] = _Watched(connection, identity, warned=False, timer=timer)
        self._by_login_session.setdefault(identity.login_session_id, set()).add(connection.id)

    def disarm(self, connection: WatchedConnection) -> None:
        """Forgets a connection that has ended; harmless for one that is not watched."""
        watched = self._watched.pop(connection.id, None)
        if watched is None:
            return
        watched.timer.cancel()
        login_session_id = watched.identity.login_session_id
        of_login = self._by_login_session[login_session_id]
        of_login.discard(connection.id)
        if not of_login:
            del self._by_login_session[login_session_id]

    def revoke(self, login_session_ids: Sequence[int]) -> None:
        """Tells every connection of these login sessions that it is over, and closes it."""
        body = encode_model(SessionRevoked())
        for login_session_id in login_session_ids:
            for connection_id in tuple(self._by_login_session.get(login_session_id, ())):
                connection = self._watched[connection_id].connection
                self.disarm(connection)
                for session in tuple(connection.sessions.values()):
                    session.push_volatile(SESSION_REVOKED.name, body)
                    session.disconnect()
                connection.close(CLOSE_SESSION_REVOKED)

    def _schedule(self, connection_id: str, at_s: float) -> Timer:
        call_later = self._call_later or asyncio.get_running_loop().call_later
        return call_later(max(0.0, at_s - self._now_s()), lambda: self._wake(connection_id))

    def _wake(self, connection_id: str) -> None:
        watched = self._watched[connection_id]
        expires_at_s = watched.identity.expires_at_s
        # Timers run by another clock than tokens: what is early is put off.
        left_s = expires_at_s - self._now_s()
        if left_s <= 0:
            self.disarm(watched.connection)
            watched.connection.close(CLOSE_TOKEN_EXPIRED)
            return
        if not watched.warned and left_s <= self._warn_before_s:
            watched.warned = True
            body = encode_model(TokenExpiring(expires_in_s=round(left_s)))
            for session in tuple(watched.connection.sessions.values()):
                session.push_volatile(TOKEN_EXPIRING.name, body)
        due_s = expires_at_s if watched.warned else expires_at_s - self._warn_before_s
        watched.timer = self._schedule(connection_id, due_s)

    def _now_s(self) -> float:
        return self._clock.now_s()

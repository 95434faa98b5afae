"""Closes connections whose access token expires or whose login session is revoked, and warns them before the expiry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from handlers.accounts.connection_notices import ConnectionNotice, session_revoked, token_expiring, warn_before_s
from handlers.ports import Clock
from realtime.contract.errors import CLOSE_SESSION_REVOKED, CLOSE_TOKEN_EXPIRED, CloseReason
from realtime.contract.identity import Identity


class Timer(Protocol):
    def cancel(self) -> None: ...


CallLater = Callable[[float, Callable[[], None]], Timer]


class WatchedSession(Protocol):
    def send(self, event: str, data: bytes) -> None: ...

    def disconnect(self) -> None: ...


class WatchedConnection(Protocol):
    """What the watch needs of `realtime.engine.session.session.Connection`."""

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
    """One timer for each authenticated connection; no task.

    `call_later` takes seconds and a callback; None: that of the running loop.
    """

    def __init__(self, clock: Clock, *, access_token_ttl_s: float, call_later: CallLater | None = None) -> None:
        self._clock = clock
        self._warn_before_s = warn_before_s(access_token_ttl_s)
        self._call_later = call_later
        self._watched: dict[str, _Watched] = {}
        self._by_login_session: dict[int, set[str]] = {}

    def watch(self, connection: WatchedConnection) -> None:
        """Watches the token of `connection.identity` instead of the one that was watched before.

        Does nothing when that token is watched already. Raises TypeError for an anonymous connection.
        """
        identity = connection.identity
        if not isinstance(identity, Identity):
            raise TypeError("an anonymous connection has no token")
        watched = self._watched.get(connection.id)
        if watched is not None and watched.identity == identity:
            return
        self.unwatch(connection)
        timer = self._schedule(connection.id, identity.expires_at_s - self._warn_before_s)
        self._watched[connection.id] = _Watched(connection, identity, warned=False, timer=timer)
        self._by_login_session.setdefault(identity.login_session_id, set()).add(connection.id)

    def unwatch(self, connection: WatchedConnection) -> None:
        """Forgets a connection that has ended; does nothing for one that is not watched."""
        watched = self._watched.pop(connection.id, None)
        if watched is None:
            return
        watched.timer.cancel()
        login_session_id = watched.identity.login_session_id
        of_login = self._by_login_session[login_session_id]
        of_login.discard(connection.id)
        if not of_login:
            del self._by_login_session[login_session_id]

    def close_revoked(self, login_session_ids: Sequence[int]) -> None:
        """Notifies every connection of these login sessions, and closes it."""
        notice = session_revoked()
        for login_session_id in login_session_ids:
            for connection_id in tuple(self._by_login_session.get(login_session_id, ())):
                connection = self._watched[connection_id].connection
                self.unwatch(connection)
                for session in tuple(connection.sessions.values()):
                    session.send(notice.event, notice.data)
                    session.disconnect()
                connection.close(CLOSE_SESSION_REVOKED)

    def _schedule(self, connection_id: str, at_s: float) -> Timer:
        call_later = self._call_later or asyncio.get_running_loop().call_later
        return call_later(max(0.0, at_s - self._clock.now_s()), lambda: self._check(connection_id))

    def _check(self, connection_id: str) -> None:
        watched = self._watched[connection_id]
        expires_at_s = watched.identity.expires_at_s
        remaining_s = expires_at_s - self._clock.now_s()
        if remaining_s <= 0:
            self.unwatch(watched.connection)
            watched.connection.close(CLOSE_TOKEN_EXPIRED)
            return
        # Timers follow the loop's clock, tokens the time of day: a timer that fires early is scheduled again.
        if not watched.warned and remaining_s <= self._warn_before_s:
            watched.warned = True
            _send(watched.connection, token_expiring(remaining_s))
        due_s = expires_at_s if watched.warned else expires_at_s - self._warn_before_s
        watched.timer = self._schedule(connection_id, due_s)


def _send(connection: WatchedConnection, notice: ConnectionNotice) -> None:
    for session in tuple(connection.sessions.values()):
        session.send(notice.event, notice.data)

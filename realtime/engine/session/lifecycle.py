"""The states of connections and of sessions, and the transitions that are allowed between them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, Self


class InvalidTransition(Exception):
    """A lifecycle was to go on in a way that it has not: a bug of ours."""


class _State(Enum):
    # The hash of an Enum is a slow method in Python, and members are unique.
    __hash__ = object.__hash__

    def to(self, new: Self) -> Self:
        """Returns the new state. Raises InvalidTransition."""
        if new not in _TRANSITIONS[self]:
            raise InvalidTransition(f"{self} -> {new}")
        return new


class ConnectionState(_State):
    OPEN = "open"
    """Packets are read and written."""
    CLIENT_CLOSED = "client_closed"
    """The client has closed its end: nothing can be written. What it sent before is still handled."""
    CLOSING = "closing"
    """The server closes it: nothing more is read. The answer that is being made is still written."""
    CLOSED = "closed"
    """Nothing is read or written. Its sessions end once the policy does not work on it any more."""
    ENDED = "ended"
    """Its sessions have ended, and its owner has been told."""


class SessionState(_State):
    CONNECTING = "connecting"
    """The CONNECT is not answered yet; pushes are held back until it is."""
    CATCHING_UP = "catching_up"
    """The client has not read enough yet to be sent all that it missed. New pushes are read from the logs later."""
    OPEN = "open"
    """Pushes are sent to the client."""
    DISCONNECTING = "disconnecting"
    """The server ends the session: pushes are still sent, the client's packets are not handled any more."""
    DETACHED = "detached"
    """It has no connection: it has ended, or is about to be kept."""
    KEPT = "kept"
    """The client is away and may resume the session, which stays in its rooms until then."""


_TRANSITIONS: Final[Mapping[_State, tuple[_State, ...]]] = {
    ConnectionState.OPEN: (ConnectionState.CLIENT_CLOSED, ConnectionState.CLOSING, ConnectionState.CLOSED),
    ConnectionState.CLIENT_CLOSED: (ConnectionState.CLOSED,),
    ConnectionState.CLOSING: (ConnectionState.CLOSED,),
    ConnectionState.CLOSED: (ConnectionState.ENDED,),
    ConnectionState.ENDED: (),
    SessionState.CONNECTING: (SessionState.OPEN, SessionState.DETACHED),
    SessionState.CATCHING_UP: (SessionState.OPEN, SessionState.DETACHED),
    SessionState.OPEN: (SessionState.DISCONNECTING, SessionState.DETACHED),
    SessionState.DISCONNECTING: (SessionState.DETACHED,),
    SessionState.DETACHED: (SessionState.KEPT,),
    SessionState.KEPT: (SessionState.CONNECTING, SessionState.CATCHING_UP, SessionState.DETACHED),
}

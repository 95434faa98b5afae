"""A connection of a client: it carries the sessions of all namespaces that the client has joined."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Generic, Protocol, TypeVar

from realtime.contract.errors import CLOSE_SLOW_CONSUMER, CloseReason
from realtime.contract.identity import Identity
from realtime.engine.protocol import packets
from realtime.engine.protocol.codec import Codec
from realtime.engine.protocol.encoded_push import FORMS_PER_CODEC
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.session.idle_actions import IdleActions
from realtime.engine.session.lifecycle import ConnectionState
from realtime.engine.session.transport import ClosedTransport, Transport, TransportName

GRACE_S: Final = 1.0
"""How long a close waits for the answer that is being made."""
TRANSPORT_CLOSE: Final = "transport close"

# Looking a member up in an Enum is slow, and these are compared for every packet.
_OPEN, _CLIENT_CLOSED, _CLOSING = ConnectionState.OPEN, ConnectionState.CLIENT_CLOSED, ConnectionState.CLOSING
_CLOSED, _ENDED = ConnectionState.CLOSED, ConnectionState.ENDED


class AttachedSession(Protocol):
    """What a connection needs of a session on it."""

    @property
    def namespace(self) -> str: ...

    def open(self) -> None:
        """Answers the CONNECT."""

    def detach(self) -> None:
        """The session has no client any more."""


SessionT = TypeVar("SessionT", bound=AttachedSession)


class Connection(Generic[SessionT]):
    """One Engine.IO connection of a client, on whichever transport it uses now.

    `identity` is set by the policy at the first authenticated CONNECT. `peer_address` is the real one: the socket's, or
    the last one that a configured proxy vouches for. `busy` is true while the policy works on something of this
    connection. `plain_form` is the index of its encoding without offsets in `EncodedPush.forms`.
    `disconnected_namespaces` are those that the server has disconnected: packets for them may still be on
    their way. `defer` runs an action that must not run in the middle of another; None: in the loop's next turn.
    """

    __slots__ = (
        "_defer",
        "_idle_actions",
        "_on_end",
        "_on_session_end",
        "_reason",
        "_sessions",
        "_transport",
        "busy",
        "codec",
        "disconnected_namespaces",
        "id",
        "identity",
        "peer_address",
        "plain_form",
        "state",
        "unknown_namespace_count",
        "user_agent",
    )

    def __init__(
        self,
        *,
        id: str,
        peer_address: str,
        user_agent: str | None,
        transport: Transport,
        on_session_end: Callable[[SessionT, str], None],
        on_end: Callable[[Connection[SessionT]], None],
        defer: Callable[[Callable[[], None]], object] | None = None,
        codec: Codec = packets,
    ) -> None:
        self.id = id
        self.peer_address = peer_address
        self.user_agent = user_agent
        self.codec = codec
        self.plain_form = FORMS_PER_CODEC * codec.CODEC
        self.identity: Identity | None = None
        self._defer = defer or asyncio.get_running_loop().call_soon
        self.use_transport(transport)
        self._on_session_end = on_session_end
        self._on_end = on_end
        self._sessions: dict[str, SessionT] = {}
        self.disconnected_namespaces: frozenset[str] = frozenset()
        self.unknown_namespace_count = 0
        self.busy = False
        self.state = _OPEN
        self._reason: str | None = None
        self._idle_actions: IdleActions | None = None

    @classmethod
    def closed(cls) -> Connection[SessionT]:
        """A connection that has ended, for sessions whose client was never on this node."""
        connection = cls(
            id="",
            peer_address="",
            user_agent=None,
            transport=ClosedTransport(),
            on_session_end=lambda _session, _reason: None,
            on_end=lambda _connection: None,
        )
        connection.state = _ENDED
        return connection

    @property
    def transport(self) -> TransportName:
        """Changes when a polling client upgrades."""
        return self._transport.name

    @property
    def sessions(self) -> Mapping[str, SessionT]:
        """The accepted sessions by namespace."""
        return MappingProxyType(self._sessions)

    def session(self, namespace: str) -> SessionT | None:
        """The accepted session of one namespace."""
        return self._sessions.get(namespace)

    def close(self, reason: CloseReason) -> None:
        """Closes the connection. A WebSocket client is sent the reason, a polling client only that it is closed.

        Nothing that the client sends is handled any more; the answer that is being made is sent before, if it comes
        within GRACE_S. `disconnected` of the policy follows for each session. Only the first reason counts.
        """
        if self.state is _OPEN:
            self.state = self.state.to(_CLOSING)
            self._note_reason(reason.reason)
            self.when_idle(partial(self._close_transport, reason))
        elif self.state is _CLIENT_CLOSED:
            self._enter_closed()

    # What follows is for the engine.

    @property
    def is_readable(self) -> bool:
        """False as soon as nothing that the client sends is handled any more."""
        return self.state is _OPEN or self.state is _CLIENT_CLOSED

    @property
    def is_writable(self) -> bool:
        """False as soon as nothing can be sent any more."""
        return self.state is _OPEN or self.state is _CLOSING

    @property
    def has_ended(self) -> bool:
        """True when its sessions have ended and its owner has been told."""
        return self.state is _ENDED

    @property
    def unread_bytes(self) -> int:
        return self._transport.unread_bytes

    def write(self, packet: Outgoing) -> None:
        state = self.state
        if state is _OPEN or state is _CLOSING:
            self._transport.write(packet)

    def use_transport(self, transport: Transport) -> None:
        self._transport = transport
        transport.call_when_stalled(self._abort_stalled)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def abort(self, reason: str) -> None:
        """Closes a connection whose transport is lost: nothing more is sent to the client or handled."""
        self._note_reason(reason)
        self._enter_closed()
        self._transport.abort()

    def note_client_close(self) -> None:
        """The client has closed the connection; `finish_client_close` follows when all that it sent is handled."""
        self._note_reason(TRANSPORT_CLOSE)
        if self.state is _OPEN:
            self.state = self.state.to(_CLIENT_CLOSED)
        elif self.state is _CLOSING:
            self._enter_closed()

    def finish_client_close(self) -> None:
        """Closes a connection that the client has closed."""
        self._note_reason(TRANSPORT_CLOSE)
        self._enter_closed()
        self._transport.finish_close()

    def end_work(self) -> None:
        """The policy works on nothing of this connection any more."""
        self.busy = False
        if self._idle_actions is not None:
            self._run_idle_actions()
        if self.state is _CLOSED:
            self._finish()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Runs an action soon: after what the policy works on now, but at most GRACE_S later."""
        if self._idle_actions is None:
            self._idle_actions = IdleActions()
            self._defer(self._run_if_idle)
        self._idle_actions.add(action)

    def accept(self, session: SessionT) -> None:
        """Makes a session known, and answers its CONNECT."""
        if self.disconnected_namespaces:
            self.disconnected_namespaces -= {session.namespace}
        self._sessions[session.namespace] = session
        if self.is_readable:
            session.open()

    def end_session(self, session: SessionT, reason: str) -> None:
        """Ends one session; the connection stays open."""
        if self._sessions.get(session.namespace) is session:
            del self._sessions[session.namespace]
            session.detach()
            self._on_session_end(session, reason)

    def _run_if_idle(self) -> None:
        if not self.busy:
            self._run_idle_actions()
        elif self._idle_actions is not None:
            self._idle_actions.set_limit(GRACE_S, self._run_idle_actions)

    def _run_idle_actions(self) -> None:
        actions, self._idle_actions = self._idle_actions, None
        if actions is not None:
            actions.run()

    def _close_transport(self, reason: CloseReason) -> None:
        if self.state is _CLOSING:
            self._transport.close(reason)
            self._enter_closed()

    def _abort_stalled(self) -> None:
        self.abort(CLOSE_SLOW_CONSUMER.reason)

    def _note_reason(self, reason: str) -> None:
        if self._reason is None:
            self._reason = reason

    def _enter_closed(self) -> None:
        if self.state is not _CLOSED and self.state is not _ENDED:
            self.state = self.state.to(_CLOSED)
            # Not at once: the caller that closes or writes may be iterating over rooms.
            self._defer(self._finish)

    def _finish(self) -> None:
        if self.state is not _CLOSED or self.busy:
            return
        self.state = self.state.to(_ENDED)
        if self._idle_actions is not None:
            self._idle_actions.drop()
        for session in tuple(self._sessions.values()):
            self.end_session(session, self._reason or TRANSPORT_CLOSE)
        self._on_end(self)

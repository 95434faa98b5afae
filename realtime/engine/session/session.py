"""Connections and the namespace sessions on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType

from realtime.contract.errors import CLOSE_SLOW_CONSUMER, CloseReason
from realtime.contract.identity import Identity
from realtime.engine.protocol import packets
from realtime.engine.protocol.codec import Codec
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.protocol.frames import Outgoing
from realtime.engine.replay.recovery_state import RecoveryState
from realtime.engine.session.transport import Transport, TransportName

GRACE_S = 1.0
"""How long a close waits for the answer that is being made."""
TRANSPORT_CLOSE = "transport close"


class Connection:
    """One Engine.IO connection: a client device's socket, on whichever transport it is now.

    `identity` is the policy's: who this is, set at the first authenticated CONNECT. `peer_address` is the real one:
    that of the socket, or the last one that a configured proxy vouches for. `dismissed` are the namespaces that the
    server has disconnected: packets for them may still be on their way. `later` runs what must not be run in the middle
    of something else; None: in the loop's next turn.
    """

    __slots__ = (
        "_ended",
        "_gone",
        "_grace",
        "_later",
        "_on_end",
        "_on_session_end",
        "_over",
        "_sessions",
        "_transport",
        "_when_idle",
        "_why",
        "busy",
        "closing",
        "codec",
        "dismissed",
        "id",
        "identity",
        "peer_address",
        "unknown_namespaces",
        "user_agent",
    )

    def __init__(
        self,
        *,
        id: str,
        peer_address: str,
        user_agent: str | None,
        transport: Transport,
        on_session_end: Callable[[Session, str], None],
        on_end: Callable[[Connection], None],
        later: Callable[[Callable[[], None]], object] | None = None,
        codec: Codec = packets,
    ) -> None:
        self.id = id
        self.peer_address = peer_address
        self.user_agent = user_agent
        self.codec = codec
        self.identity: Identity | None = None
        self._later = later or asyncio.get_running_loop().call_soon
        self.use_transport(transport)
        self._on_session_end = on_session_end
        self._on_end = on_end
        self._sessions: dict[str, Session] = {}
        self.dismissed: frozenset[str] = frozenset()
        self.unknown_namespaces = 0
        """So many times the client asked for one that there is not."""
        self.busy = False
        """True while the policy works on something of this connection."""
        self._why: str | None = None
        self.closing = False
        """True as soon as nothing of the client is read any more; for the engine."""
        self._gone = False
        self._over = False
        self._ended = False
        self._when_idle: list[Callable[[], None]] | None = None
        self._grace: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> TransportName:
        """Changes when a polling client upgrades."""
        return self._transport.name

    @property
    def sessions(self) -> Mapping[str, Session]:
        """The accepted sessions by namespace."""
        return MappingProxyType(self._sessions)

    def session(self, namespace: str) -> Session | None:
        """The accepted session of one namespace."""
        return self._sessions.get(namespace)

    def close(self, reason: CloseReason) -> None:
        """Ends the connection: the client is told why on a WebSocket, or just told on polling.

        Nothing that the client sends is read any more; the answer that is being made leaves first, if it comes soon.
        `disconnected` of the policy follows for each session. Only the first reason counts.
        """
        if not self.closing:
            self.closing = True
            if self._why is None:
                self._why = reason.reason
            self.when_idle(lambda: self._close_transport(reason))

    # What follows is for the engine.

    @property
    def gone(self) -> bool:
        """True when nothing can be sent any more."""
        return self._gone

    @property
    def unread_bytes(self) -> int:
        return self._transport.unread_bytes

    def write(self, packet: Outgoing) -> None:
        if not self._gone:
            self._transport.write(packet)

    def use_transport(self, transport: Transport) -> None:
        self._transport = transport
        transport.watch(self._stalled)

    def hold(self) -> None:
        self._transport.hold()

    def go_on(self) -> None:
        self._transport.go_on()

    def lost(self, why: str) -> None:
        """The transport is of no use any more: nothing can be told to the client, and nothing of it is handled."""
        self.closing = True
        if self._why is None:
            self._why = why
        self._end()
        self._transport.abort()

    def hung_up(self) -> None:
        """The client is not there any more; what it said before is still handled, until `left`."""
        self._gone = True
        if self._why is None:
            self._why = TRANSPORT_CLOSE

    def left(self) -> None:
        """The client has ended the connection, and all that it had said before is handled."""
        self.closing = True
        if self._why is None:
            self._why = TRANSPORT_CLOSE
        self._end()
        self._transport.release()

    def end_work(self) -> None:
        self.busy = False
        if self._when_idle:
            self._run_when_idle()
        if self._over:
            self._finish()

    def when_idle(self, action: Callable[[], None]) -> None:
        """Runs the action soon: after what the policy is working on now, but at most GRACE_S later."""
        if self._when_idle is None:
            self._when_idle = []
            self._later(self._run_if_idle)
        self._when_idle.append(action)

    def accept(self, session: Session) -> None:
        if self.dismissed:
            self.dismissed -= {session.namespace}
        self._sessions[session.namespace] = session
        if not self.closing:
            session.open()

    def drop(self, session: Session, why: str) -> None:
        """Ends one session; the connection stays."""
        if self._sessions.get(session.namespace) is session:
            del self._sessions[session.namespace]
            session.shut()
            self._on_session_end(session, why)

    def _run_if_idle(self) -> None:
        if not self.busy:
            self._run_when_idle()
        elif self._when_idle and self._grace is None:
            self._grace = asyncio.get_running_loop().call_later(GRACE_S, self._run_when_idle)

    def _run_when_idle(self) -> None:
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        actions, self._when_idle = self._when_idle, None
        for action in actions or ():
            action()

    def _close_transport(self, reason: CloseReason) -> None:
        if not self._over:
            self._transport.close(reason)
            self._end()

    def _stalled(self) -> None:
        self.lost(CLOSE_SLOW_CONSUMER.reason)

    def _end(self) -> None:
        self._gone = True
        if not self._over:
            self._over = True
            # Not at once: whoever closes or writes may be in the middle of a walk over rooms.
            self._later(self._finish)

    def _finish(self) -> None:
        if self._ended or self.busy:
            return
        self._ended = True
        if self._grace is not None:
            self._grace.cancel()
            self._grace = None
        for session in tuple(self._sessions.values()):
            self.drop(session, self._why or TRANSPORT_CLOSE)
        self._on_end(self)


class Session:
    """One namespace on a connection. `state` is the policy's own; `rooms` are changed by the hub only.

    `behind` is true while a client that is back has not read enough to be told all that it missed: what comes meanwhile
    is missed too. `recovery_state` is None for a client that did not ask for recovery. `kept` is true while the client
    is away and may come back: the session stays in its rooms then, and gets another connection when it is resumed.
    """

    __slots__ = (
        "_held",
        "_open",
        "_shut",
        "behind",
        "connection",
        "id",
        "kept",
        "namespace",
        "recovery_state",
        "rooms",
        "state",
    )

    def __init__(
        self, *, id: str, namespace: str, connection: Connection, recovery_state: RecoveryState | None = None
    ) -> None:
        self.id = id
        self.namespace = namespace
        self.connection = connection
        self.rooms: set[str] = set()
        self.state: object | None = None
        self.recovery_state = recovery_state
        self.kept = False
        self.behind = False
        self._held: list[EncodedPush] | None = None
        self._open = False
        self._shut = False

    def send(self, event: str, data: bytes) -> None:
        """Sends a push with one argument, encoded JSON; never blocks. Pushes of one session keep their order.

        At most once: a client that has gone, or that reads too slowly, does not get it, also when it comes back.
        """
        self.take(EncodedPush(self.namespace, event, data))

    def tell(self, event: str, data: bytes) -> None:
        """Like send, and a client that is away gets it when it resumes the session."""
        recovery_state = self.recovery_state
        self.take(
            EncodedPush(self.namespace, event, data) if recovery_state is None else recovery_state.push(event, data)
        )

    def disconnect(self) -> None:
        """Ends this session and tells the client, which will not come back by itself; the connection stays."""
        if self._open and not self._shut:
            self._shut = True
            self.connection.when_idle(self._disconnect)

    # What follows is for the engine.

    @property
    def leaving(self) -> bool:
        """True as soon as nothing of the client is handled for this session any more."""
        return self._shut

    def take(self, push: EncodedPush) -> None:
        """Sends a push in the form that this client needs, or holds it back until the CONNECT was answered."""
        if self._open:
            if self.recovery_state is None:
                connection = self.connection
                packet = push.forms[2 * connection.codec.CODEC]
                connection.write(packet or push.packet(connection.codec, with_offset=False))
            elif not self.recovery_state.told_elsewhere(push):
                self._write(push)
        elif not self._shut and not self.behind:
            if self._held is None:
                self._held = []
            self._held.append(push)

    def open(self) -> None:
        """Answers the CONNECT; then comes what was held back, or what a resumed client has missed."""
        private_id: str | None = None
        if self.recovery_state is not None:
            self.recovery_state.answered = True
            private_id = self.recovery_state.pid
        self.connection.write(self.connection.codec.encode_connect(self.namespace, self.id, private_id))
        held, self._held = self._held, None
        self.catch_up(held or [], behind=self.behind)

    def resume(self, connection: Connection, missed: list[EncodedPush], *, behind: bool) -> None:
        """Gives a kept session another connection; whatever comes before it is opened there is in the logs."""
        self.connection = connection
        self.kept = False
        self._shut = False
        self._held = missed
        self.behind = behind

    def catch_up(self, missed: list[EncodedPush], *, behind: bool) -> None:
        """Writes what a client has missed; unless it is still behind then, it hears everything from now on."""
        for push in missed:
            self._write(push)
        self.behind = behind
        self._open = not behind
        if self.recovery_state is not None:
            if behind:
                self.recovery_state.told_until(missed[-1])
            else:
                self.recovery_state.found_client()

    def shut(self) -> None:
        if self._open and self.recovery_state is not None:
            self.recovery_state.lost_client()
        self._open = False
        self._shut = True
        self.behind = False
        self._held = None

    def _write(self, push: EncodedPush) -> None:
        recovery_state, connection = self.recovery_state, self.connection
        if recovery_state is not None and push.push_id is not None:
            recovery_state.last = push.push_id
        connection.write(push.packet(connection.codec, with_offset=recovery_state is not None))

    def _disconnect(self) -> None:
        if self.connection.sessions.get(self.namespace) is self:
            self.connection.write(self.connection.codec.encode_disconnect(self.namespace))
            self.connection.dismissed |= {self.namespace}
            self.connection.drop(self, "server namespace disconnect")

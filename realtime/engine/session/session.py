"""Sessions: the namespaces that clients have joined."""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.recovery_state import RecoveryState
from realtime.engine.session.connection import Connection
from realtime.engine.session.lifecycle import SessionState

# Looking a member up in an Enum is slow, and these are compared for every push.
_CONNECTING, _OPEN, _DISCONNECTING = SessionState.CONNECTING, SessionState.OPEN, SessionState.DISCONNECTING


class Session:
    """One namespace on a connection. `rooms` are changed by the hub only.

    `user_id` is set by the policy; None for an anonymous session. `recovery_state` is None for a client that did not
    ask for recovery. A session that is resumed gets another connection.
    """

    __slots__ = ("_held", "connection", "id", "namespace", "recovery_state", "rooms", "state", "user_id")

    def __init__(
        self,
        *,
        id: str,
        namespace: str,
        connection: Connection[Session],
        user_id: int | None = None,
        state: SessionState = _CONNECTING,
    ) -> None:
        self.id = id
        self.namespace = namespace
        self.connection = connection
        self.user_id = user_id
        self.state = state
        self.rooms: set[str] = set()
        self.recovery_state: RecoveryState | None = None
        self._held: list[EncodedPush] | None = None

    @classmethod
    def opened(cls, namespace: str, connection: Connection[Session]) -> Session:
        """A new session, whose CONNECT is to be answered."""
        return cls(id=secrets.token_urlsafe(15), namespace=namespace, connection=connection)

    @classmethod
    def moved(
        cls,
        *,
        id: str,
        namespace: str,
        user_id: int | None,
        connection: Connection[Session],
        recovery_state: RecoveryState,
    ) -> Session:
        """A session that another node had until now; it is to be kept here until it is resumed."""
        session = cls(id=id, namespace=namespace, connection=connection, user_id=user_id, state=SessionState.DETACHED)
        session.recovery_state = recovery_state
        return session

    @property
    def is_kept(self) -> bool:
        """True while the client is away and may resume the session."""
        return self.state is SessionState.KEPT

    def push_volatile(self, event: str, data: bytes) -> None:
        """Sends a push with one argument, encoded JSON; never blocks. Pushes of one session keep their order.

        At most once: a client that is away, or reads too slowly, does not get it, also when it resumes the session.
        """
        self.deliver(EncodedPush(self.namespace, event, data))

    def push_replayable(self, event: str, data: bytes) -> None:
        """Like `push_volatile`, but a client that is away gets it when it resumes the session."""
        recovery_state = self.recovery_state
        self.deliver(
            EncodedPush(self.namespace, event, data) if recovery_state is None else recovery_state.log_push(event, data)
        )

    def disconnect(self) -> None:
        """Ends this session by a DISCONNECT, after which official clients do not reconnect; the connection stays."""
        if self.state is _OPEN:
            self.state = self.state.to(_DISCONNECTING)
            self.connection.when_idle(self._disconnect)

    # What follows is for the engine.

    def deliver(self, push: EncodedPush) -> None:
        """Sends a push in the client's encoding, or holds it back until the CONNECT is answered."""
        state = self.state
        if state is _OPEN or state is _DISCONNECTING:
            if self.recovery_state is None or not self.recovery_state.is_duplicate(push):
                self._write(push)
        elif state is _CONNECTING:
            if self._held is None:
                self._held = []
            self._held.append(push)

    def open(self) -> None:
        """Answers the CONNECT; then follow the pushes that were held back, or that a resumed client has missed."""
        private_id: str | None = None
        if self.recovery_state is not None:
            self.recovery_state.client_knows_pid = True
            private_id = self.recovery_state.pid
        self.connection.write(self.connection.codec.encode_connect(self.namespace, self.id, private_id))
        held, self._held = self._held, None
        self.catch_up(held or [], complete=self.state is _CONNECTING)

    def detach(self) -> None:
        """The session has no client any more."""
        if self.recovery_state is not None and (self.state is _OPEN or self.state is _DISCONNECTING):
            self.recovery_state.mark_away()
        self.state = self.state.to(SessionState.DETACHED)
        self._held = None

    def keep(self) -> None:
        """Its client is away and may resume it from now on."""
        self.state = self.state.to(SessionState.KEPT)

    def resume(self, connection: Connection[Session], missed: list[EncodedPush], *, complete: bool) -> None:
        """Gives a kept session another connection, to be opened at once; `missed` is sent then.

        `complete` tells whether that is all that it missed; else `catch_up` follows with more.
        """
        self.connection = connection
        self.state = self.state.to(_CONNECTING if complete else SessionState.CATCHING_UP)
        self._held = missed

    def catch_up(self, missed: list[EncodedPush], *, complete: bool) -> None:
        """Sends pushes that a client has missed; when that makes it `complete`, new pushes are sent from now on."""
        for push in missed:
            self._write(push)
        if complete:
            self.state = self.state.to(_OPEN)
        if self.recovery_state is not None:
            if complete:
                self.recovery_state.mark_caught_up()
            else:
                self.recovery_state.mark_sent_until(missed[-1])

    def _write(self, push: EncodedPush) -> None:
        recovery_state, connection = self.recovery_state, self.connection
        if recovery_state is not None and push.push_id is not None:
            recovery_state.last_sent = push.push_id
        connection.write(push.packet(connection.codec, with_offset=recovery_state is not None))

    def _disconnect(self) -> None:
        connection = self.connection
        if connection.session(self.namespace) is self:
            connection.write(connection.codec.encode_disconnect(self.namespace))
            connection.disconnected_namespaces |= {self.namespace}
            connection.end_session(self, "server namespace disconnect")


def deliver_to_all(sessions: Iterable[Session], push: EncodedPush) -> None:
    """Sends a push as `Session.deliver` does, to thousands of sessions: the most frequent kind costs no call of it."""
    forms = push.forms
    for session in sessions:
        if session.state is _OPEN and session.recovery_state is None:
            connection = session.connection
            connection.write(forms[connection.plain_form] or push.packet(connection.codec, with_offset=False))
        else:
            session.deliver(push)

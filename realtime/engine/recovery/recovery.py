"""Connection state recovery: a client that reconnects gets its session back, with the pushes that it missed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol

from realtime.contract.errors import CLOSE_REASONS, CLOSE_SLOW_CONSUMER
from realtime.engine.recovery.missed_pushes import MissedPushSender
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.session.connection import TRANSPORT_CLOSE, Connection
from realtime.engine.session.policy import RecoveryPolicy
from realtime.engine.session.session import Session

MAX_ID_CHARS: Final = 64
"""Of a private id and of an offset; this server gives out no longer ones."""
_TRANSPORT_LOST = (TRANSPORT_CLOSE, "transport error", "ping timeout")
RESUMABLE: Final = frozenset((*_TRANSPORT_LOST, *(reason.reason for reason in CLOSE_REASONS if reason.resumable)))
"""Reasons for which a session may have ended that can be resumed."""


class OtherNodes(Protocol):
    """Where sessions are looked for that this node does not know."""

    async def fetch(
        self,
        connection: Connection[Session],
        namespace: str,
        pid: str,
        offset: str | None,
        auth: Mapping[str, object],
    ) -> Session | None:
        """Moves a session here from its node, with its rooms and the pushes that it missed; it is kept then.

        None: it cannot be recovered. Raises ConnectRefused.
        """

    def announce(self, pid: str) -> None:
        """Lets other nodes find a session here that did not begin here."""

    async def is_current(self) -> bool:
        """Whether this node knows by now all that other nodes had told it when the call began."""


class Recovery:
    """Resumes sessions at CONNECT, and keeps them when their client is lost.

    The pushes that a client missed are sent in parts of at most `max_part_bytes`, the next when it has read the last.
    `other_nodes` is None for a node that stands alone.
    """

    def __init__(
        self,
        *,
        recoverable: RecoverableSessions,
        policy: RecoveryPolicy,
        stalled_clients: StalledClients,
        other_nodes: OtherNodes | None = None,
        max_part_bytes: int = 512 * 1024,
    ) -> None:
        self._recoverable = recoverable
        self._policy = policy
        self._stalled_clients = stalled_clients
        self._other_nodes = other_nodes
        self._missed_push_sender = MissedPushSender(max_part_bytes=max_part_bytes, on_done=policy.resumed)
        self._stopped = False

    def stop(self) -> None:
        """Ends all kept sessions, and keeps none any more."""
        self._stopped = True
        self._recoverable.stop()
        self._missed_push_sender.stop()

    async def resume(
        self, connection: Connection[Session], namespace: str, auth: Mapping[str, object]
    ) -> Session | None:
        """The session that a CONNECT asks for, on its new connection, with the pushes that it missed; to be opened at
        once.

        None: the client did not ask, or cannot have it back. Raises ConnectRefused.
        """
        requested = _requested_session(auth)
        if requested is None:
            return None
        pid, offset = requested
        session = self._recoverable.find(pid)
        if session is None and pid and self._other_nodes is not None:
            session = await self._other_nodes.fetch(connection, namespace, pid, offset, auth)
        elif session is not None and (
            session.namespace != namespace or not await self._policy.authorize_resume(session, connection, auth)
        ):
            return None
        if session is not None:
            await self._learn_withdrawals(session, offset)
        if session is None or session.recovery_state is None or self._recoverable.find(pid) is not session:
            return None
        self._recoverable.abort_stale_connection(session)
        missed = self._recoverable.missed(session, offset)
        if missed is None:
            self._recoverable.expire(session)
            return None
        if not self._recoverable.keep_no_longer(session):  # a node that stops keeps none
            return None
        self._stalled_clients.discard(pid)
        session.recovery_state.trim_earlier(offset)
        self._missed_push_sender.start(session, connection, missed)
        return session

    async def _learn_withdrawals(self, session: Session, offset: str | None) -> None:
        """What was withdrawn before the client came back must be known here before anything is replayed to it."""
        missed = None if session.recovery_state is None else session.recovery_state.missed(offset)
        if (
            self._other_nodes is not None
            and missed
            and any(push.subjects is not None for push in missed)
            and not await self._other_nodes.is_current()
        ):
            self._recoverable.logs.withdrawals.withdraw_all()

    def track(self, session: Session, auth: Mapping[str, object]) -> None:
        """Makes a new session recoverable if its client asked for that."""
        if auth.get("recovery") is True:
            self._recoverable.add(session)

    def report_not_recovered(self, session: Session, auth: Mapping[str, object]) -> None:
        """Tells a client that its new session stands for one that it asked for and cannot have back."""
        requested = _requested_session(auth)
        if requested is not None:
            self._policy.not_recovered(session, self._stalled_clients.take_close_code(requested[0]))

    def session_ended(self, session: Session, reason: str) -> None:
        """Keeps a session that has lost its connection, if it may be resumed; else forgets it."""
        recovery_state = session.recovery_state
        if recovery_state is None or not self._recoverable.contains(session):
            return
        if reason in RESUMABLE and recovery_state.client_knows_pid and not self._stopped:
            if reason == CLOSE_SLOW_CONSUMER.reason:
                self._stalled_clients.add(recovery_state.pid)
            self._recoverable.keep(session)
            if self._other_nodes is not None and not self._recoverable.began_here(recovery_state.pid):
                self._other_nodes.announce(recovery_state.pid)
        else:
            self._recoverable.forget(session)

    def forget(self, session: Session) -> None:
        """The session was refused, so that it cannot be resumed."""
        self._recoverable.forget(session)


def _requested_session(auth: Mapping[str, object]) -> tuple[str, str | None] | None:
    """The private id and the offset of the session that a CONNECT asks for; None when it asks for a new one.

    An id or offset that this server cannot have given out becomes "", which is never found: it may be as large as a
    packet.
    """
    pid, offset = auth.get("pid"), auth.get("offset")
    if auth.get("recovery") is not True or not isinstance(pid, str):
        return None
    if len(pid) > MAX_ID_CHARS:
        pid = ""
    if not isinstance(offset, str) or len(offset) > MAX_ID_CHARS:
        offset = None if offset is None else ""
    return pid, offset

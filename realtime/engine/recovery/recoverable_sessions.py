"""The sessions that clients may resume on this node: live ones, and those kept while their client is away."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

import structlog

from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.kept_sessions import KeptSessions
from realtime.engine.recovery.missed_pushes import size_on_wire
from realtime.engine.replay.recovery_state import RecoveryState
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.session.connection import TRANSPORT_CLOSE
from realtime.engine.session.policy import RecoveryPolicy
from realtime.engine.session.session import Session

MAX_KEPT_PER_USER: Final = 256
"""All namespaces of dozens of devices."""

log = structlog.get_logger(__name__)


class RecoverableSessions:
    """Finds sessions by private id, and keeps those whose client was lost for `window_s`.

    At most `max_kept` sessions are kept, `max_kept_per_user` of one user; the oldest go first. A client that missed
    more than `max_missed_bytes` cannot resume its session.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        logs: ReplayLogs,
        policy: RecoveryPolicy,
        node_id: str,
        window_s: float = 120.0,
        max_missed_bytes: int = 4 * 1024 * 1024,
        max_kept: int = 50_000,
        max_kept_per_user: int = MAX_KEPT_PER_USER,
    ) -> None:
        self._hub = hub
        self.logs = logs
        self._policy = policy
        self._node_id = node_id
        self._max_missed_bytes = max_missed_bytes
        self._kept = KeptSessions(
            window_s=window_s, max_count=max_kept, max_per_user=max_kept_per_user, on_expired=self._expired
        )
        self._sessions: dict[str, Session] = {}

    def stop(self) -> None:
        """Lets all kept sessions expire."""
        self._kept.stop()

    def find(self, pid: str) -> Session | None:
        """The session of this private id, live or kept."""
        return self._sessions.get(pid)

    def sessions(self) -> Sequence[Session]:
        """A snapshot of all sessions that may be resumed, live and kept."""
        return tuple(self._sessions.values())

    def began_here(self, pid: str) -> bool:
        """Whether the private id names this node; else the session has moved here."""
        return pid.startswith(f"{self._node_id}.")

    def add(self, session: Session) -> None:
        """Gives a new session a private id, which names this node, and a recovery state."""
        pid = f"{self._node_id}.{secrets.token_urlsafe(15)}"
        session.recovery_state = RecoveryState(pid, session.namespace, self.logs)
        self._sessions[pid] = session

    def contains(self, session: Session) -> bool:
        """False for a session without recovery, for one that is forgotten, and for one that moved away."""
        recovery_state = session.recovery_state
        return recovery_state is not None and self._sessions.get(recovery_state.pid) is session

    def keep(self, session: Session, remaining_s: float | None = None) -> None:
        """Keeps a session without a client from now on: for the whole window, or for the rest of it."""
        assert session.recovery_state is not None
        session.keep()
        self._sessions[session.recovery_state.pid] = session
        self._kept.add(session, remaining_s)

    def remaining_s(self, session: Session) -> float | None:
        """How long a session is still kept; None for one whose client is connected."""
        return self._kept.remaining_s(session)

    def keep_no_longer(self, session: Session) -> bool:
        """The client of a kept session is back. False: it was not kept."""
        return self._kept.remove(session)

    def expire(self, session: Session) -> None:
        """Ends a kept session, which another node has now or no client will resume."""
        self._kept.expire(session)

    def abort_stale_connection(self, session: Session) -> None:
        """Takes a session from its connection, which has not noticed yet that its client is gone."""
        if not session.is_kept:
            connection = session.connection
            connection.end_session(session, TRANSPORT_CLOSE)
            connection.abort(TRANSPORT_CLOSE)

    def forget(self, session: Session) -> None:
        """The session cannot be resumed any more."""
        recovery_state = session.recovery_state
        if recovery_state is not None and self._sessions.get(recovery_state.pid) is session:
            del self._sessions[recovery_state.pid]
            recovery_state.end()

    def missed(self, session: Session, offset: str | None) -> list[EncodedPush] | None:
        """What a client is sent that it has not got, whose last push was `offset`; None when unknown or too much."""
        assert session.recovery_state is not None
        missed = session.recovery_state.to_replay(offset, session.user_id)
        if missed is None or sum(map(size_on_wire, missed)) > self._max_missed_bytes:
            return None
        return missed

    def _expired(self, session: Session) -> None:
        self.forget(session)
        session.detach()
        try:
            self._policy.expired(session)
        except Exception:
            log.exception("session_not_forgotten", session=session.id)
        finally:
            self._hub.leave_all(session)

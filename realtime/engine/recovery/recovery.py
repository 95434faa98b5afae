"""Connection state recovery: sessions of lost clients are kept for a while, and given back with what was missed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Protocol

import structlog

from realtime.contract.errors import CLOSE_REASONS, CLOSE_SLOW_CONSUMER
from realtime.engine.hub import Hub
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.recovery.kept_sessions import KeptSessions
from realtime.engine.recovery.missed_pushes import MissedPushSender, size_on_its_way
from realtime.engine.replay.recovery_state import RecoveryState
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.session.policy import RecoveryPolicy
from realtime.engine.session.session import Connection, Session

MAX_ID_CHARS = 64
"""Of a private id and of an offset: a client that shows more has neither of us."""
MAX_KEPT_OF_ONE = 256
"""All namespaces of dozens of devices."""
MAX_STALLED = 10_000
"""So many stalled clients are remembered until they come back and can be told."""
TRANSPORT_LOST = ("transport close", "transport error", "ping timeout")
RESUMABLE = frozenset((*TRANSPORT_LOST, *(reason.reason for reason in CLOSE_REASONS if reason.resumable)))
"""Why a session may have ended that can be resumed."""

log = structlog.get_logger(__name__)


class OtherNodes(Protocol):
    """Where sessions are looked for that this node does not know."""

    async def fetch(
        self, connection: Connection, namespace: str, pid: str, offset: str | None, auth: Mapping[str, object]
    ) -> Session | None:
        """Takes a session over from the node that holds it, with its rooms and what it missed in its recovery_state.

        None: it cannot be recovered. Raises ConnectRefused.
        """

    def holds(self, pid: str) -> None:
        """This node keeps a session that others may be asked for."""


class Recovery:
    """The sessions of one node that asked for recovery. They are kept for `window_s` after their client was lost.

    What a client missed is told in parts of at most `max_part_bytes`, the next when it has read the last. A client that
    missed more than `max_missed_bytes` gets a fresh session. At most `max_kept` sessions are kept, `max_kept_of_one` of
    the same owner; the oldest go first.
    """

    def __init__(
        self,
        *,
        hub: Hub,
        logs: ReplayLogs,
        policy: RecoveryPolicy,
        node_id: str,
        window_s: float = 120.0,
        max_part_bytes: int = 512 * 1024,
        max_missed_bytes: int = 4 * 1024 * 1024,
        max_kept: int = 50_000,
        max_kept_of_one: int = MAX_KEPT_OF_ONE,
    ) -> None:
        self._hub = hub
        self.logs = logs
        self._policy = policy
        self._node_id = node_id
        self._catching_up = MissedPushSender(max_part_bytes=max_part_bytes, on_done=policy.resumed)
        self._max_missed_bytes = max_missed_bytes
        self._kept = KeptSessions(
            window_s=window_s,
            max_count=max_kept,
            max_of_one=max_kept_of_one,
            owner_of=policy.owner,
            give_up=self._give_up,
        )
        self._sessions: dict[str, Session] = {}
        self._stalled: dict[str, None] = {}
        self._retired = False
        self.other_nodes: OtherNodes | None = None

    def stop(self) -> None:
        """Forgets all sessions that are kept, and keeps none any more."""
        self._retired = True
        self._kept.stop()
        self._catching_up.stop()

    def find(self, pid: str) -> Session | None:
        """The session of this private id, live or kept."""
        return self._sessions.get(pid)

    def sessions(self) -> Sequence[Session]:
        """A snapshot of all sessions that asked for recovery, live and kept."""
        return tuple(self._sessions.values())

    async def resume(self, connection: Connection, namespace: str, auth: Mapping[str, object]) -> Session | None:
        """The session that a CONNECT asks for, on its new connection and with all that it missed; to be opened at once.

        None: the client did not ask, or cannot have it back. Raises ConnectRefused.
        """
        asked = _asked_for(auth)
        if asked is None:
            return None
        pid, offset = asked
        session = self._sessions.get(pid)
        if session is None and pid and self.other_nodes is not None:
            session = await self.other_nodes.fetch(connection, namespace, pid, offset, auth)
        elif session is not None and (
            session.namespace != namespace or not await self._policy.resume(session, connection, auth)
        ):
            return None
        if session is None or session.recovery_state is None or self._sessions.get(pid) is not session:
            return None
        self.detach(session)
        missed = self.missed(session, offset)
        if missed is None:
            self._kept.expire(session)
            return None
        if not self._kept.take(session):  # a node that stops keeps none
            return None
        self._stalled.pop(pid, None)
        session.recovery_state.came_back(offset)
        self._catching_up.begin(session, connection, missed)
        return session

    def detach(self, session: Session) -> None:
        """Takes a session from a connection that has not noticed yet that its client is gone."""
        if not session.kept:
            connection = session.connection
            connection.drop(session, TRANSPORT_LOST[0])
            connection.lost(TRANSPORT_LOST[0])

    def follow(self, session: Session, auth: Mapping[str, object]) -> None:
        """Begins to follow a fresh session if its client asked for that."""
        if auth.get("recovery") is True:
            self.add(session, self.make_pid())

    def make_pid(self) -> str:
        """A private id that names this node as the holder."""
        return f"{self._node_id}.{secrets.token_urlsafe(15)}"

    def add(self, session: Session, pid: str) -> None:
        session.recovery_state = RecoveryState(pid, session.namespace, self.logs)
        self._sessions[pid] = session

    def begun(self, session: Session, auth: Mapping[str, object]) -> None:
        """A fresh session was accepted: one that stands for a lost one is told so."""
        asked = _asked_for(auth)
        if asked is not None:
            self._policy.not_recovered(session, self.why(asked[0]))

    def ended(self, session: Session, reason: str) -> None:
        """A session has lost its connection: it is kept if it may be resumed."""
        recovery_state = session.recovery_state
        if recovery_state is None or self._sessions.get(recovery_state.pid) is not session:
            return
        if reason in RESUMABLE and recovery_state.answered and not self._retired:
            if reason == CLOSE_SLOW_CONSUMER.reason:
                self.cut_off(recovery_state.pid)
            self.keep(session)
            if self.other_nodes is not None and not recovery_state.pid.startswith(f"{self._node_id}."):
                self.other_nodes.holds(recovery_state.pid)
        else:
            self.forget(session)

    def keep(self, session: Session, left_s: float | None = None) -> None:
        """Keeps a session without a client from now on: for the whole window, or for what is left of it."""
        assert session.recovery_state is not None
        session.kept = True
        self._sessions[session.recovery_state.pid] = session
        self._kept.put(session, left_s)

    def left_s(self, session: Session) -> float | None:
        """How long a session is still kept; None for one whose client is here."""
        return self._kept.left_s(session)

    def forget(self, session: Session) -> None:
        """Nobody can come back to this session any more."""
        recovery_state = session.recovery_state
        if recovery_state is not None and self._sessions.get(recovery_state.pid) is session:
            del self._sessions[recovery_state.pid]
            recovery_state.end()

    def release(self, session: Session) -> None:
        """Gives up a kept session, since another node has it now or nobody came."""
        self._kept.expire(session)

    def _give_up(self, session: Session) -> None:
        self.forget(session)
        session.kept = False
        try:
            self._policy.expired(session)
        except Exception:
            log.exception("session_not_forgotten", session=session.id)
        finally:
            self._hub.leave_all(session)

    def missed(self, session: Session, offset: str | None) -> list[EncodedPush] | None:
        """What a client has not got whose last push was `offset`; None when that is not known, or is too much."""
        assert session.recovery_state is not None
        missed = session.recovery_state.missed(offset)
        if missed is None or sum(map(size_on_its_way, missed)) > self._max_missed_bytes:
            return None
        return missed

    def cut_off(self, pid: str) -> None:
        """The client of this session was too slow, and could not be told so."""
        self._stalled[pid] = None
        if len(self._stalled) > MAX_STALLED:
            del self._stalled[next(iter(self._stalled))]

    def why(self, pid: str) -> int | None:
        """The code that the client of a session was not told when it was closed; known once."""
        if pid not in self._stalled:
            return None
        del self._stalled[pid]
        return CLOSE_SLOW_CONSUMER.code


def _asked_for(auth: Mapping[str, object]) -> tuple[str, str | None] | None:
    """The private id and the offset in a CONNECT that asks for an earlier session; None for one that does not.

    "" stands for what was never given out, and is not looked for: it may be as large as a packet.
    """
    pid, offset = auth.get("pid"), auth.get("offset")
    if auth.get("recovery") is not True or not isinstance(pid, str):
        return None
    if len(pid) > MAX_ID_CHARS:
        pid = ""
    if not isinstance(offset, str) or len(offset) > MAX_ID_CHARS:
        offset = None if offset is None else ""
    return pid, offset

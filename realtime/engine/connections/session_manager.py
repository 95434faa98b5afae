"""Opens the connections of a node and the sessions on them, and ends them: the same on every transport."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Final

from realtime.engine.hub import Hub
from realtime.engine.protocol import packets
from realtime.engine.protocol.codec import Codec
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.session.connection import Connection
from realtime.engine.session.policy import SessionPolicy
from realtime.engine.session.session import Session
from realtime.engine.session.transport import Transport

_log = logging.getLogger(__name__)

_ID_BYTES: Final = 15


class SessionManager:
    """One for all transports of a node. `recovery` is None where sessions cannot be resumed."""

    def __init__(self, *, policy: SessionPolicy, hub: Hub, recovery: Recovery | None = None) -> None:
        self.policy = policy
        self.hub = hub
        self._recovery = recovery
        # Made once: every connection has it.
        self._on_session_end = self._session_ended

    def open_connection(
        self,
        *,
        peer_address: str,
        user_agent: str | None,
        transport: Transport,
        on_end: Callable[[Connection[Session]], None],
        id_prefix: str = "",
        codec: Codec = packets,
        defer: Callable[[Callable[[], None]], object] | None = None,
    ) -> Connection[Session]:
        """A new connection without sessions. `on_end` is called when its sessions have ended; see Connection."""
        return Connection(
            id=id_prefix + secrets.token_urlsafe(_ID_BYTES),
            peer_address=peer_address,
            user_agent=user_agent,
            transport=transport,
            on_session_end=self._on_session_end,
            on_end=on_end,
            defer=defer,
            codec=codec,
        )

    async def open_session(
        self, connection: Connection[Session], namespace: str, auth: Mapping[str, object]
    ) -> Session:
        """A new session that the policy has let in; the caller has to `accept` it at once. Raises ConnectRefused."""
        session = Session.opened(namespace, connection)
        if self._recovery is not None:
            self._recovery.track(session, auth)
        try:
            await self.policy.connect(session, auth)
        except BaseException:
            session.detach()
            self.hub.remove_session(session)
            if self._recovery is not None:
                self._recovery.forget(session)
            raise
        if self._recovery is not None:
            self._recovery.report_not_recovered(session, auth)
        return session

    async def resume_session(
        self, connection: Connection[Session], namespace: str, auth: Mapping[str, object]
    ) -> Session | None:
        """The session that `auth` asks for; the caller has to `accept` it at once. None when it cannot be resumed, or
        none is asked for. Raises ConnectRefused.
        """
        if self._recovery is None:
            return None
        return await self._recovery.resume(connection, namespace, auth)

    def accept(self, session: Session) -> None:
        """Answers the CONNECT of a session, which receives pushes from now on."""
        self.hub.add_session(session)
        session.connection.accept(session)

    def _session_ended(self, session: Session, reason: str) -> None:
        """Takes a session out of the hub; it is kept where its client may resume it."""
        if self._recovery is not None:
            self._recovery.session_ended(session, reason)
        try:
            self.policy.disconnected(session, reason)
        except Exception:
            _log.exception("policy failed to forget session %s", session.id)
        finally:
            self.hub.remove_session(session)

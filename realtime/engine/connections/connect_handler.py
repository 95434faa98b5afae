"""Where clients come in: a CONNECT becomes a session, a fresh one or the one that the client comes back to."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from realtime.contract.errors import CLOSE_FLOOD, INTERNAL
from realtime.engine.connections.eager_tasks import Work
from realtime.engine.connections.session_lifecycle import begin_session
from realtime.engine.hub import Hub
from realtime.engine.protocol.frames import MalformedPacket
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.session.policy import ConnectRefused, SessionPolicy
from realtime.engine.session.session import Connection, Session

_log = logging.getLogger(__name__)

_UNKNOWN_NAMESPACES_MAX = 100


class ConnectHandler:
    """Lets clients of any connection into the namespaces that there are."""

    def __init__(
        self, *, policy: SessionPolicy, hub: Hub, namespaces: frozenset[str], recovery: Recovery | None
    ) -> None:
        self._policy = policy
        self._hub = hub
        self._namespaces = namespaces
        self._recovery = recovery

    def connect(self, connection: Connection, namespace: str, auth: Mapping[str, object]) -> Work | None:
        """Answers a CONNECT: at once, or by the coroutine that is returned. Raises MalformedPacket."""
        if connection.session(namespace) is not None:
            raise MalformedPacket("a second CONNECT to the same namespace")
        if namespace not in self._namespaces:
            connection.unknown_namespaces += 1
            if connection.unknown_namespaces > _UNKNOWN_NAMESPACES_MAX:
                connection.close(CLOSE_FLOOD)
            else:
                connection.write(connection.codec.encode_connect_error(namespace, "Invalid namespace"))
            return None
        return self._begin_session(connection, namespace, auth)

    async def _begin_session(self, connection: Connection, namespace: str, auth: Mapping[str, object]) -> None:
        session: Session | None = None
        try:
            session = await self._open_session(connection, namespace, auth)
        except ConnectRefused as refused:
            _refuse(connection, namespace, refused.code, refused.message)
        except Exception:
            _refuse(connection, namespace, INTERNAL.code, unforeseen("connect"))
        if session is not None:
            self._hub.add_session(session)
            connection.accept(session)

    async def _open_session(self, connection: Connection, namespace: str, auth: Mapping[str, object]) -> Session:
        """A session that is to be accepted at once."""
        if self._recovery is not None:
            resumed = await self._recovery.resume(connection, namespace, auth)
            if resumed is not None:
                return resumed
        session = await begin_session(
            connection, namespace, auth, policy=self._policy, hub=self._hub, recovery=self._recovery
        )
        if self._recovery is not None:
            self._recovery.begun(session, auth)
        return session


def unforeseen(what: str) -> str:
    """Logs the failure that is being handled, and returns the message by which a client can name it."""
    error_id = secrets.token_hex(6)
    _log.exception("policy failed on %r, error id %s", what, error_id)
    return f"{INTERNAL.message} ({error_id})"


def _refuse(connection: Connection, namespace: str, code: str, message: str) -> None:
    data = {"code": code, "message": message}
    connection.write(connection.codec.encode_connect_error(namespace, message, data))

"""Answers CONNECT packets: each becomes a new session, or the one that its client resumes."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping

from realtime.contract.errors import CLOSE_FLOOD, INTERNAL
from realtime.engine.connections.eager_tasks import Work
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.protocol.frames import MalformedPacket
from realtime.engine.session.connection import Connection
from realtime.engine.session.policy import ConnectRefused
from realtime.engine.session.session import Session

_log = logging.getLogger(__name__)

_UNKNOWN_NAMESPACES_MAX = 100


class ConnectHandler:
    """Lets the clients of any connection join the namespaces of an engine."""

    def __init__(self, *, sessions: SessionManager, namespaces: frozenset[str]) -> None:
        self._sessions = sessions
        self._namespaces = namespaces

    def connect(self, connection: Connection[Session], namespace: str, auth: Mapping[str, object]) -> Work | None:
        """Answers a CONNECT: at once, or by the coroutine that is returned. Raises MalformedPacket."""
        if connection.session(namespace) is not None:
            raise MalformedPacket("a second CONNECT to the same namespace")
        if namespace not in self._namespaces:
            connection.unknown_namespace_count += 1
            if connection.unknown_namespace_count > _UNKNOWN_NAMESPACES_MAX:
                connection.close(CLOSE_FLOOD)
            else:
                connection.write(connection.codec.encode_connect_error(namespace, "Invalid namespace"))
            return None
        return self._connect(connection, namespace, auth)

    async def _connect(self, connection: Connection[Session], namespace: str, auth: Mapping[str, object]) -> None:
        session: Session | None = None
        try:
            if "pid" in auth:
                session = await self._sessions.resume_session(connection, namespace, auth)
            if session is None:
                session = await self._sessions.open_session(connection, namespace, auth)
        except ConnectRefused as refused:
            _refuse(connection, namespace, refused.code, refused.message)
        except Exception:
            _refuse(connection, namespace, INTERNAL.code, log_failure("connect"))
        if session is not None:
            self._sessions.accept(session)


def log_failure(event: str) -> str:
    """Logs the exception that is being handled; returns a message with an id by which a client can name it."""
    error_id = secrets.token_hex(6)
    _log.exception("policy failed on %r, error id %s", event, error_id)
    return f"{INTERNAL.message} ({error_id})"


def _refuse(connection: Connection[Session], namespace: str, code: str, message: str) -> None:
    data = {"code": code, "message": message}
    connection.write(connection.codec.encode_connect_error(namespace, message, data))

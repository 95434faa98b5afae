"""The sessions of clients that hear pushes over plain HTTP: the same as on a socket, in all namespaces at once.

Such a client loses its connection with every answer. Its sessions are kept until it comes back, and its cursor holds
the private ids and offsets by which they are resumed, on whichever node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from aiohttp import web

from realtime.contract.declarations import AUTH_NAMESPACE
from realtime.contract.errors import CLOSE_DRAINING, RATE_LIMITED, UNAVAILABLE, CommandError
from realtime.contract.identity import Identity
from realtime.contract.rate_limit import RateLimit
from realtime.contract.rest import EVENT_CALLS
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.drain_state import DrainState
from realtime.engine.protocol.json_events import JsonEvents
from realtime.engine.replay.push_ids import PushIds
from realtime.engine.session.connection import Connection
from realtime.engine.session.session import Session
from realtime.engine.session.transport import Transport
from realtime.limits.limiter import Limiter
from realtime.pubsub.membership import Membership
from server.pipeline.dispatch import RETRY_AFTER_UNAVAILABLE_MS
from server.pipeline.registry import Registry
from server.transports.events.cursor import Position, read_cursor
from server.transports.rest import PeerAddress

FIRST_CALLS: Final = RateLimit(count=20, per_s=60)
"""Calls without a cursor that can be resumed: each leaves sessions that are kept for a while."""


class Entered(NamedTuple):
    """Where a client stands at the beginning, by namespace. `is_resumed`: it hears all that it has missed."""

    positions: Mapping[str, Position]
    is_resumed: bool


class EventSessions:
    """Opens and resumes these sessions, and closes all at the stop of the node."""

    def __init__(
        self,
        *,
        registry: Registry,
        drain_state: DrainState,
        sessions: SessionManager,
        membership: Membership,
        limiter: Limiter,
        peer_address: PeerAddress,
        rate_limit_factor: float,
    ) -> None:
        self._drain_state = drain_state
        self._sessions = sessions
        self._membership = membership
        self._limiter = limiter
        self._peer_address = peer_address
        self._calls, self._first_calls = (rate.scaled(rate_limit_factor) for rate in (EVENT_CALLS, FIRST_CALLS))
        self._namespaces = tuple(name for name in registry.namespaces if name != AUTH_NAMESPACE)
        self._topics = {namespace: registry.polled_topics(namespace) for namespace in self._namespaces}
        self._codec = JsonEvents(PushIds().make)
        self._connections: set[Connection[Session]] = set()

    def stop(self) -> None:
        """Ends all waiting clients at once; they continue from their cursors on another node."""
        for connection in tuple(self._connections):
            connection.close(CLOSE_DRAINING)

    async def admit(self, identity: Identity) -> None:
        """Counts a call. Raises CommandError where it is one too many, or this node stops."""
        await self._count("events", identity, self._calls)
        if self._drain_state.is_draining:
            raise unavailable()

    def open_connection(self, request: web.Request, transport: Transport) -> Connection[Session]:
        connection = self._sessions.open_connection(
            peer_address=self._peer_address(request),
            user_agent=request.headers.get("User-Agent"),
            transport=transport,
            on_end=self._connections.discard,
            codec=self._codec,
        )
        self._connections.add(connection)
        return connection

    async def enter(
        self, connection: Connection[Session], identity: Identity, cursor: str, *, forget: Callable[[], None]
    ) -> Entered:
        """Gives the connection the sessions of this cursor, or new ones where they cannot be resumed.

        `forget` drops what the transport has got of sessions that are given up again. Raises CommandError, and
        ConnectRefused.
        """
        positions = read_cursor(cursor, len(self._namespaces))
        # A close that comes meanwhile has to wait, so that it finds all sessions.
        connection.busy = True
        try:
            is_resumed = positions is not None and await self._resume(connection, identity, positions)
            if positions is None or not is_resumed:
                forget()
                await self._count("events-begun", identity, self._first_calls)
                positions = await self._open(connection, identity)
        finally:
            connection.end_work()
        return Entered(dict(zip(self._namespaces, positions, strict=True)), is_resumed)

    async def _count(self, kind: str, identity: Identity, rate: RateLimit) -> None:
        decision = await self._limiter.hit([(f"{kind}:u{identity.user_id}", rate, 1)])
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)

    async def _resume(self, connection: Connection[Session], identity: Identity, positions: Sequence[Position]) -> bool:
        """Resumes the sessions of all namespaces; False when one of them cannot be resumed."""
        for namespace, position in zip(self._namespaces, positions, strict=True):
            if not connection.is_readable:  # a newer call of this client has them, or the login session has ended
                return True
            auth = {"recovery": True, "token": identity, "pid": position.pid, "offset": position.offset}
            session = await self._sessions.resume_session(connection, namespace, auth)
            if session is None:
                for resumed in tuple(connection.sessions.values()):
                    connection.end_session(resumed, "not resumed")
                return False
            self._sessions.accept(session)
        return True

    async def _open(self, connection: Connection[Session], identity: Identity) -> Sequence[Position]:
        """Opens a session in each namespace; when it returns, these receive all pushes from then on."""
        positions = []
        auth = {"recovery": True, "token": identity}
        for namespace in self._namespaces:
            session = await self._sessions.open_session(connection, namespace, auth)
            self._sessions.accept(session)
            for topic in self._topics[namespace]:
                await self._membership.subscribe(session, topic, identity.user_id)
            if not connection.is_readable or session.recovery_state is None:
                raise unavailable()
            positions.append(Position(session.recovery_state.pid, None))
        return positions


def unavailable() -> CommandError:
    return CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)

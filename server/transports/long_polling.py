"""Long-polling: the pushes that a socket of the same user would get, for clients that cannot hold a socket.

A polling client has the same sessions as one on a socket, and loses its connection with every answer. Between two polls
its sessions are kept, and the cursor holds the private ids and offsets by which they are resumed, on whichever node. A
cursor that cannot be resumed is answered with `resync` and a new cursor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from aiohttp import web

from realtime.contract.declarations import AUTH_NAMESPACE
from realtime.contract.errors import (
    CLOSE_DRAINING,
    INVALID_PAYLOAD,
    RATE_LIMITED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    CommandError,
)
from realtime.contract.identity import Identity
from realtime.contract.rate_limit import RateLimit
from realtime.contract.rest import API_PREFIXES
from realtime.contract.wire import answer_error, answer_ok
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.drain_state import DrainState
from realtime.engine.protocol.json_events import JsonEvents
from realtime.engine.replay.push_ids import PushIds
from realtime.engine.session.connection import TRANSPORT_CLOSE, Connection
from realtime.engine.session.policy import ConnectRefused
from realtime.engine.session.session import Session
from realtime.limits.limiter import Limiter
from realtime.pubsub.membership import Membership
from server.accounts.authenticator import Authenticator
from server.pipeline.dispatch import RETRY_AFTER_UNAVAILABLE_MS, Answer
from server.pipeline.registry import Registry
from server.transports.polled_events import PolledEvents, Position, read_cursor, write_cursor
from server.transports.rest import PeerAddress, bearer_token, response

MAX_WAIT_S = 50.0
"""Proxies and routers close connections that are silent for a minute."""
POLLS = RateLimit(count=300, per_s=60)
FIRST_POLLS = RateLimit(count=20, per_s=60)
"""Polls without a cursor that can be resumed: each leaves sessions that are kept for a while."""


class LongPolling:
    """Serves `GET /v1/events`."""

    def __init__(
        self,
        *,
        registry: Registry,
        drain_state: DrainState,
        sessions: SessionManager,
        authenticator: Authenticator,
        membership: Membership,
        limiter: Limiter,
        peer_address: PeerAddress,
        rate_limit_factor: float,
    ) -> None:
        self._drain_state = drain_state
        self._sessions = sessions
        self._authenticator = authenticator
        self._membership = membership
        self._limiter = limiter
        self._peer_address = peer_address
        self._polls, self._first_polls = (rate.scaled(rate_limit_factor) for rate in (POLLS, FIRST_POLLS))
        self._namespaces = tuple(name for name in registry.namespaces if name != AUTH_NAMESPACE)
        self._topics = {namespace: registry.polled_topics(namespace) for namespace in self._namespaces}
        self._left_out = registry.connection_pushes
        self._codec = JsonEvents(PushIds().make)
        self._connections: set[Connection[Session]] = set()

    def attach(self, app: web.Application) -> None:
        for prefix in API_PREFIXES:
            app.router.add_get(f"{prefix}/events", self._poll)

    def stop(self) -> None:
        """Answers all waiting polls at once; their clients continue from their cursors on another node."""
        for connection in tuple(self._connections):
            connection.close(CLOSE_DRAINING)

    async def _poll(self, request: web.Request) -> web.Response:
        try:
            return response(Answer(answer_ok(await self._answer(request)), None), 200)
        except CommandError as error:
            return response(Answer(answer_error(error), error), 200)

    async def _answer(self, request: web.Request) -> bytes:
        token = bearer_token(request)
        identity = self._authenticator.identify(token)
        if identity is None:
            raise CommandError(UNAUTHENTICATED)
        await self._count("events", identity, self._polls)
        if self._drain_state.is_draining:
            raise _unavailable()
        unknown = [name for name in request.query if name not in ("cursor", "timeout_s")]
        if unknown or len(set(request.query)) != len(request.query):
            raise CommandError(INVALID_PAYLOAD, fields=dict.fromkeys(unknown, "is not known"))
        timeout_s = _timeout(request.query.get("timeout_s"))
        cursor = request.query.get("cursor", "")
        positions = read_cursor(cursor, len(self._namespaces))
        events = PolledEvents(self._left_out)
        connection = self._open_connection(request, events)
        try:
            # A close that comes meanwhile has to wait, so that it finds all sessions.
            connection.busy = True
            try:
                is_resumed = positions is not None and await self._resume(connection, token, positions)
                if positions is None or not is_resumed:
                    events.clear()
                    await self._count("events-begun", identity, self._first_polls)
                    positions = await self._open_sessions(connection, token, identity)
            finally:
                connection.end_work()
            if is_resumed:
                await events.wait(timeout_s)
            # The login session may have ended meanwhile.
            self._authenticator.identify(identity)
            by_namespace = dict(zip(self._namespaces, positions, strict=True))
            return _encode(events, by_namespace, resync=bool(cursor and not is_resumed))
        except ConnectRefused as refused:
            raise CommandError(UNAUTHENTICATED, refused.message) from None
        finally:
            connection.abort(TRANSPORT_CLOSE)

    async def _count(self, kind: str, identity: Identity, rate: RateLimit) -> None:
        decision = await self._limiter.hit([(f"{kind}:u{identity.user_id}", rate, 1)])
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)

    def _open_connection(self, request: web.Request, events: PolledEvents) -> Connection[Session]:
        connection = self._sessions.open_connection(
            peer_address=self._peer_address(request),
            user_agent=request.headers.get("User-Agent"),
            transport=events,
            on_end=self._connections.discard,
            codec=self._codec,
        )
        self._connections.add(connection)
        return connection

    async def _resume(self, connection: Connection[Session], token: str | None, positions: Sequence[Position]) -> bool:
        """Resumes the sessions of all namespaces; False when one of them cannot be resumed."""
        for namespace, position in zip(self._namespaces, positions, strict=True):
            if not connection.is_readable:  # a newer poll of this client has them, or the login session has ended
                return True
            auth = {"recovery": True, "token": token, "pid": position.pid, "offset": position.offset}
            session = await self._sessions.resume_session(connection, namespace, auth)
            if session is None:
                for resumed in tuple(connection.sessions.values()):
                    connection.end_session(resumed, "not resumed")
                return False
            self._sessions.accept(session)
        return True

    async def _open_sessions(
        self, connection: Connection[Session], token: str | None, identity: Identity
    ) -> Sequence[Position]:
        """Opens a session in each namespace; when it returns, these receive all pushes from then on."""
        positions = []
        auth = {"recovery": True, "token": token}
        for namespace in self._namespaces:
            session = await self._sessions.open_session(connection, namespace, auth)
            self._sessions.accept(session)
            for topic in self._topics[namespace]:
                await self._membership.subscribe(session, topic, identity.user_id)
            if not connection.is_readable or session.recovery_state is None:
                raise _unavailable()
            positions.append(Position(session.recovery_state.pid, None))
        return positions


def _unavailable() -> CommandError:
    return CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)


def _encode(events: PolledEvents, positions: Mapping[str, Position], *, resync: bool) -> bytes:
    now = [Position(at.pid, events.offsets.get(namespace, at.offset)) for namespace, at in positions.items()]
    cursor = orjson.dumps(write_cursor(now))
    scope = b',"resync":"all"' if resync else b""
    return b'{"events":[' + b",".join(events.items) + b'],"cursor":' + cursor + scope + b"}"


def _timeout(text: str | None) -> float:
    if text is None:
        return MAX_WAIT_S
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise CommandError(INVALID_PAYLOAD, fields={"timeout_s": "must be a whole number of seconds"})
    return min(float(text), MAX_WAIT_S)

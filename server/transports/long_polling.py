"""Long-polling: the pushes that a socket of this person would get, for clients that cannot hold one.

A client that polls has the same sessions as one on a socket, and loses its connection with every answer: between two
polls its sessions are kept, and a cursor is what any client shows that comes back, on whichever node. A cursor that
cannot be followed up is answered with `resync`: read again, and go on from the new one.
"""

from __future__ import annotations

import secrets
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
from realtime.contract.wire import answer_error, answer_ok
from realtime.engine.connections.session_lifecycle import begin_session, end_session
from realtime.engine.drain_state import DrainState
from realtime.engine.hub import Hub
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.replay.push_ids import PushIds
from realtime.engine.session.policy import ConnectRefused
from realtime.engine.session.session import TRANSPORT_CLOSE, Connection, Session
from realtime.limits.limiter import Limiter
from realtime.pubsub.membership import Membership
from server.accounts.authenticator import Authenticator
from server.pipeline.dispatch import RETRY_AFTER_UNAVAILABLE_MS, Answer
from server.pipeline.registry import Registry
from server.transports.polled_events import Place, PolledEvents, read_cursor, write_cursor
from server.transports.rest import API_PREFIXES, PeerAddress, bearer_token, response
from server.transports.sockets import Sockets

MAX_WAIT_S = 50.0
"""Proxies and routers end connections that are silent for a minute."""
POLLS = RateLimit(count=300, per_s=60)
BEGINNINGS = RateLimit(count=20, per_s=60)
"""Polls that go on from nothing: each leaves sessions behind that are kept for a while."""
TOPICS = ("feed",)


class LongPolling:
    """Hosts `GET /v1/events`."""

    def __init__(
        self,
        *,
        registry: Registry,
        sockets: Sockets,
        hub: Hub,
        drain_state: DrainState,
        recovery: Recovery,
        authenticator: Authenticator,
        membership: Membership,
        limiter: Limiter,
        peer_address: PeerAddress,
        rate_limit_factor: float,
    ) -> None:
        self._sockets = sockets
        self._hub = hub
        self._drain_state = drain_state
        self._recovery = recovery
        self._authenticator = authenticator
        self._membership = membership
        self._limiter = limiter
        self._peer_address = peer_address
        self._polls, self._beginnings = (rate.scaled(rate_limit_factor) for rate in (POLLS, BEGINNINGS))
        self._namespaces = tuple(name for name in registry.namespaces if name != AUTH_NAMESPACE)
        self._ids = PushIds()
        self._connections: set[Connection] = set()

    def attach(self, app: web.Application) -> None:
        for prefix in API_PREFIXES:
            app.router.add_get(f"{prefix}/events", self._poll)

    def stop(self) -> None:
        """Lets all polls that wait answer at once; their clients go on from there on another node."""
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
        places = read_cursor(cursor, len(self._namespaces))
        events = PolledEvents(self._ids)
        connection = self._connect(request, events)
        try:
            # An end that comes meanwhile waits: it has to find all the sessions.
            connection.busy = True
            try:
                is_known = places is not None and await self._resume(connection, token, places)
                if places is None or not is_known:
                    events.clear()
                    await self._count("events-begun", identity, self._beginnings)
                    places = await self._begin(connection, token, identity)
            finally:
                connection.end_work()
            if is_known:
                await events.wait(timeout_s)
            # The login session may have ended meanwhile.
            self._authenticator.identify(identity)
            told = dict(zip(self._namespaces, places, strict=True))
            return _encode(events, told, resync=bool(cursor and not is_known))
        except ConnectRefused as refused:
            raise CommandError(UNAUTHENTICATED, refused.message) from None
        finally:
            connection.lost(TRANSPORT_CLOSE)

    async def _count(self, what: str, identity: Identity, rate: RateLimit) -> None:
        decision = await self._limiter.hit([(f"{what}:u{identity.user_id}", rate, 1)])
        if not decision.allowed:
            raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)

    def _connect(self, request: web.Request, events: PolledEvents) -> Connection:
        connection = Connection(
            id=secrets.token_urlsafe(15),
            peer_address=self._peer_address(request),
            user_agent=request.headers.get("User-Agent"),
            transport=events,
            on_session_end=self._session_ended,
            on_end=self._connections.discard,
        )
        self._connections.add(connection)
        return connection

    async def _resume(self, connection: Connection, token: str | None, places: Sequence[Place]) -> bool:
        """Takes the sessions of all namespaces with what they missed; False when one of them cannot be given back."""
        for namespace, place in zip(self._namespaces, places, strict=True):
            if connection.closing:  # a newer poll of this client wants them, or nothing is heard any more
                return True
            auth = {"recovery": True, "token": token, "pid": place.pid, "offset": place.offset}
            session = await self._recovery.resume(connection, namespace, auth)
            if session is None:
                for resumed in tuple(connection.sessions.values()):
                    connection.drop(resumed, "begun anew")
                return False
            self._accept(connection, session)
        return True

    async def _begin(self, connection: Connection, token: str | None, identity: Identity) -> Sequence[Place]:
        """Begins sessions; when it returns, whatever is pushed from then on is told to them."""
        places = []
        auth = {"recovery": True, "token": token}
        for namespace in self._namespaces:
            session = await begin_session(
                connection, namespace, auth, policy=self._sockets, hub=self._hub, recovery=self._recovery
            )
            self._accept(connection, session)
            for topic in TOPICS:
                if namespace == f"/{topic}":
                    await self._membership.subscribe(session, topic, identity.user_id)
            if connection.closing or session.recovery_state is None:
                raise _unavailable()
            places.append(Place(session.recovery_state.pid, None))
        return places

    def _accept(self, connection: Connection, session: Session) -> None:
        self._hub.add_session(session)
        connection.accept(session)

    def _session_ended(self, session: Session, reason: str) -> None:
        end_session(session, reason, policy=self._sockets, hub=self._hub, recovery=self._recovery)


def _unavailable() -> CommandError:
    return CommandError(UNAVAILABLE, retry_after_ms=RETRY_AFTER_UNAVAILABLE_MS)


def _encode(events: PolledEvents, places: Mapping[str, Place], *, resync: bool) -> bytes:
    now = [Place(place.pid, events.offsets.get(namespace, place.offset)) for namespace, place in places.items()]
    cursor = orjson.dumps(write_cursor(now))
    told = b',"resync":"all"' if resync else b""
    return b'{"events":[' + b",".join(events.items) + b'],"cursor":' + cursor + told + b"}"


def _timeout(text: str | None) -> float:
    if text is None:
        return MAX_WAIT_S
    if not text.isascii() or not text.isdigit() or len(text) > 4:
        raise CommandError(INVALID_PAYLOAD, fields={"timeout_s": "must be a whole number of seconds"})
    return min(float(text), MAX_WAIT_S)

"""The Socket.IO side: binds connections to people and hands every event to the one pipeline."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import NamedTuple

import structlog

from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.declarations import AUTH_NAMESPACE
from realtime.contract.errors import (
    CLOSE_FLOOD,
    CLOSE_SLOW_CONSUMER,
    CLOSE_UNAVAILABLE,
    FORBIDDEN,
    RATE_LIMITED,
    UNAUTHENTICATED,
    CommandError,
)
from realtime.contract.identity import Identity
from realtime.contract.rate_limit import RateLimit
from realtime.contract.unparseable import Unparseable
from realtime.contract.wire import encode_model
from realtime.engine.session.policy import ConnectRefused, HandshakeRefusal, HandshakeRequest
from realtime.engine.session.session import Connection, Session
from realtime.limits.limiter import Limiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.networks import network_of
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub import rooms
from realtime.pubsub.membership import Membership
from server.accounts.authenticator import Authenticator
from server.accounts.token_watch import TokenWatch
from server.pipeline.dispatch import Dispatcher, Request
from server.rooms.room_reader import RoomReader
from sql.errors import Retry, Unavailable

HANDSHAKES = RateLimit(count=600, per_s=60)
"""Per address: a whole office behind one address may come back at once."""
JOINS = RateLimit(count=120, per_s=60)
"""Per connection: each CONNECT reads what its person belongs to."""
REFUSALS = RateLimit(count=300, per_s=60)
"""Per connection: calls over their limits that are still answered; whoever goes on after that is cut off."""
MAX_CUT_OFF = 10_000
"""So many slow clients are remembered until they come back and can be told."""

log = structlog.get_logger(__name__)


class SocketCallerSession(NamedTuple):
    """A session as the operation that it calls may steer it."""

    session: Session
    membership: Membership
    token_watch: TokenWatch
    watches: PresenceWatches
    is_live: bool = True

    async def subscribe(self, topic: str) -> None:
        await self.membership.subscribe(self.session, topic, self._user_id())

    async def unsubscribe(self, topic: str) -> None:
        await self.membership.unsubscribe(self.session, topic, self._user_id())

    async def watch(self, user_ids: Collection[int]) -> set[int]:
        if self.session.kept or self.session not in self.membership:
            # The client is gone, and its call is not: nobody would end what begins now.
            return set()
        return await self.watches.watch(self.session, self._user_id(), user_ids)

    async def unwatch(self, user_ids: Collection[int] | None) -> None:
        self.watches.unwatch(self.session, user_ids)

    async def renew(self, identity: Identity) -> None:
        bind_identity(self.session.connection, identity, self.token_watch)

    def _user_id(self) -> int:
        identity = self.session.connection.identity
        if identity is None:
            raise RuntimeError("an anonymous session cannot subscribe")
        return identity.user_id


class Sockets:
    """The engine's policy: who may connect, and what an event means."""

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        room_reader: RoomReader,
        authenticator: Authenticator,
        membership: Membership,
        limiter: Limiter,
        token_watch: TokenWatch,
        presence: PresenceTracker,
        watches: PresenceWatches,
        rate_limit_factor: float,
    ) -> None:
        self._dispatcher = dispatcher
        self._room_reader = room_reader
        self._authenticator = authenticator
        self._membership = membership
        self._limiter = limiter
        self._token_watch = token_watch
        self._presence = presence
        self._watches = watches
        self._handshakes = HANDSHAKES.scaled(rate_limit_factor)
        # Stricter limits of commands do not make one CONNECT to each namespace a flood.
        self._joins, self._refusals = (rate.scaled(max(1.0, rate_limit_factor)) for rate in (JOINS, REFUSALS))
        self._patience = MemoryLimiter()
        self._cut_off: dict[tuple[int, str], None] = {}

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        decision = await self._limiter.hit([(f"handshake:{network_of(request.peer_address)}", self._handshakes, 1)])
        if not decision.allowed:
            return HandshakeRefusal(429, "rate_limited", decision.retry_after_ms / 1000)
        return None

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        """Binds the connection at its first token; puts the session into its person's rooms before it is answered."""
        if await self._is_flood("joins", session.connection, self._joins):
            return
        try:
            identity = self._authenticate(session.connection, session.namespace, auth.get("token"))
            session.state = identity.user_id if identity is not None else None
            self._membership.add_session(session)
            if identity is not None:
                bind_identity(session.connection, identity, self._token_watch)
                self._presence.device_connected(session.connection.id, identity.user_id)
                await self._enter_rooms(session, identity)
                if self._cut_off.pop((identity.login_session_id, session.namespace), True) is None:
                    self.not_recovered(session, CLOSE_SLOW_CONSUMER.code)
        except (Unavailable, Retry):
            # A connect_error would keep official clients away for good; after a lost transport they come back.
            self._membership.remove_session(session)
            session.connection.close(CLOSE_UNAVAILABLE)
        except BaseException:
            self._membership.remove_session(session)
            self._leave_if_empty(session.connection)
            raise

    async def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        connection = session.connection
        caller_session = SocketCallerSession(session, self._membership, self._token_watch, self._watches)
        answer = await self._dispatcher.call(
            Request(
                session.namespace,
                name,
                _payload(args),
                size_bytes,
                connection.identity,
                connection.peer_address,
                connection.user_agent,
                caller_session,
            )
        )
        if answer.error is not None and answer.error.code is RATE_LIMITED:
            await self._is_flood("refusals", connection, self._refusals)
        return answer.body

    def disconnected(self, session: Session, reason: str) -> None:
        if session.kept:
            self._watches.suspend(session)
        else:
            self._forget(session)
            if reason == CLOSE_SLOW_CONSUMER.reason:
                self._note_cut_off(session)
        self._leave_if_empty(session.connection)

    def owner(self, session: Session) -> Hashable:
        return session.state if isinstance(session.state, int) else None

    async def resume(self, session: Session, connection: Connection, auth: Mapping[str, object]) -> bool:
        """A session goes back to its person, whichever of their login sessions is not revoked."""
        identity = self._authenticate(connection, session.namespace, auth.get("token"))
        if session.state != (identity.user_id if identity is not None else None):
            return False
        if identity is not None:
            bind_identity(connection, identity, self._token_watch)
            self._presence.device_connected(connection.id, identity.user_id)
        return True

    def resumed(self, session: Session) -> None:
        self._watches.resume(session)

    def not_recovered(self, session: Session, code: int | None) -> None:
        """Whatever the lost session was to hear has to be read again."""
        session.tell(RESYNC.name, encode_model(Resync(scope=rooms.RESYNC_ALL, code=code)))

    def expired(self, session: Session) -> None:
        self._forget(session)

    def _leave_if_empty(self, connection: Connection) -> None:
        """A connection without a session is nobody's device, until it gets one."""
        if not connection.sessions:
            self._presence.device_disconnected(connection.id)
            self._token_watch.unwatch(connection)

    def _note_cut_off(self, session: Session) -> None:
        """A client that did not ask for recovery is known again by its login only."""
        identity = session.connection.identity
        if identity is not None and session.recovery_state is None:
            self._cut_off[identity.login_session_id, session.namespace] = None
            if len(self._cut_off) > MAX_CUT_OFF:
                del self._cut_off[next(iter(self._cut_off))]

    def _forget(self, session: Session) -> None:
        self._watches.unwatch(session)
        self._membership.remove_session(session)

    async def _is_flood(self, kind: str, connection: Connection, rate: RateLimit) -> bool:
        """Counts, and closes a connection that is over its limit."""
        decision = await self._patience.hit([(f"{kind}:{connection.id}", rate, 1)])
        if not decision.allowed:
            log.warning("flood", kind=kind, peer_address=connection.peer_address)
            connection.close(CLOSE_FLOOD)
        return not decision.allowed

    def _authenticate(self, connection: Connection, namespace: str, token: object) -> Identity | None:
        if token is None and namespace == AUTH_NAMESPACE:
            return None
        try:
            if not isinstance(token, str):
                raise CommandError(UNAUTHENTICATED)
            identity = self._authenticator.identify(token)
            bound = connection.identity
            if identity is not None and bound is not None and not _same_login(bound, identity):
                raise CommandError(FORBIDDEN, "This connection belongs to another login session.")
        except CommandError as error:
            raise ConnectRefused(error.code.code, error.message) from None
        return identity

    async def _enter_rooms(self, session: Session, identity: Identity) -> None:
        # The person's room first: a room that comes to be after the others were read is announced there.
        await self._membership.join(session, rooms.person_room(identity.user_id))
        found = await self._room_reader.rooms_of(session.namespace, identity.user_id)
        await self._membership.join(session, *found)


def bind_identity(connection: Connection, identity: Identity, token_watch: TokenWatch) -> None:
    """The connection is this person's until the token runs out; a token older than the known one changes nothing."""
    known = connection.identity
    if known is None or known.expires_at_s < identity.expires_at_s:
        connection.identity = identity
    token_watch.watch(connection)


def _same_login(one: Identity, other: Identity) -> bool:
    return (one.user_id, one.login_session_id) == (other.user_id, other.login_session_id)


def _payload(args: Sequence[object]) -> object | Unparseable:
    if len(args) == 1:
        return args[0]
    return Unparseable("a command takes one object") if args else {}

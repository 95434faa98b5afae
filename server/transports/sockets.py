"""The Socket.IO side: binds connections to users and passes every event to the dispatcher."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    TOO_LARGE,
    UNAUTHENTICATED,
    CommandError,
)
from realtime.contract.identity import Identity
from realtime.contract.rate_limit import RateLimit
from realtime.contract.unparseable import Unparseable
from realtime.contract.wire import encode_model
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.session.connection import Connection
from realtime.engine.session.policy import ConnectRefused, HandshakeRefusal, HandshakeRequest
from realtime.engine.session.session import Session
from realtime.limits.limiter import Limiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.networks import network_of
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub import room_names
from realtime.pubsub.membership import Membership
from server.accounts.authenticator import Authenticator
from server.accounts.token_watch import TokenWatch
from server.pipeline.dispatch import Dispatcher, Request
from server.rooms.room_reader import RoomReader
from sql.errors import Retry, Unavailable

ENTERED_ROOMS_MAX = 100
HANDSHAKES = RateLimit(count=600, per_s=60)
"""Per address: all clients of an office behind one address may reconnect at once."""
JOINS = RateLimit(count=120, per_s=60)
"""Per connection: each CONNECT reads the rooms of its user."""
REFUSALS = RateLimit(count=300, per_s=60)
"""Per connection: calls over their limits that are still answered; after that the connection is closed."""

log = structlog.get_logger(__name__)


class SocketCallerSession(NamedTuple):
    """The session of a caller, as operations may change it."""

    session: Session
    membership: Membership
    token_watch: TokenWatch
    watches: PresenceWatches
    is_live: bool = True

    async def subscribe(self, topic: str) -> None:
        await self.membership.subscribe(self.session, topic, self._user_id())

    async def unsubscribe(self, topic: str) -> None:
        await self.membership.unsubscribe(self.session, topic, self._user_id())

    async def enter(self, room: str) -> None:
        if room in self.session.rooms:
            return
        await self.leave(room_names.resync_scope(room))
        if sum(1 for one in self.session.rooms if room_names.about(one)) >= ENTERED_ROOMS_MAX:
            raise CommandError(TOO_LARGE, f"A socket watches at most {ENTERED_ROOMS_MAX} posts.")
        await self.membership.join(self.session, room)

    async def leave(self, scope: str) -> None:
        for room in tuple(self.session.rooms):
            if room_names.about(room) and room_names.resync_scope(room) == scope:
                await self.membership.leave(self.session, room)

    async def watch(self, user_ids: Collection[int]) -> set[int]:
        if self.session.is_kept or self.session not in self.membership:
            # The client is gone while its call goes on: nothing would end a watch that began now.
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


class SocketPolicy:
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
        stalled_clients: StalledClients,
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
        self._stalled_clients = stalled_clients
        self._handshakes = HANDSHAKES.scaled(rate_limit_factor)
        # A factor below 1 is not applied: a client sends one CONNECT to each namespace at once, which is no flood.
        self._joins, self._refusals = (rate.scaled(max(1.0, rate_limit_factor)) for rate in (JOINS, REFUSALS))
        self._flood_limiter = MemoryLimiter()

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        decision = await self._limiter.hit([(f"handshake:{network_of(request.peer_address)}", self._handshakes, 1)])
        if not decision.allowed:
            return HandshakeRefusal(429, "rate_limited", decision.retry_after_ms / 1000)
        return None

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        """Binds the connection at its first token; the session enters its rooms before the CONNECT is answered."""
        if await self._is_flood("joins", session.connection, self._joins):
            return
        try:
            identity = self._authenticate(session.connection, session.namespace, auth.get("token"))
            session.user_id = identity.user_id if identity is not None else None
            self._membership.add_session(session)
            if identity is not None:
                bind_identity(session.connection, identity, self._token_watch)
                self._presence.device_connected(session.connection.id, identity.user_id)
                await self._enter_rooms(session, identity)
                code = self._stalled_clients.take_close_code((identity.login_session_id, session.namespace))
                if code is not None:
                    self.not_recovered(session, code)
        except (Unavailable, Retry):
            # After a connect_error official clients stay away for good; after a lost transport they reconnect.
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
        if session.is_kept:
            self._watches.suspend(session)
        else:
            self._forget(session)
            if reason == CLOSE_SLOW_CONSUMER.reason:
                self._note_stalled(session)
        self._leave_if_empty(session.connection)

    async def authorize_resume(
        self, session: Session, connection: Connection[Session], auth: Mapping[str, object]
    ) -> bool:
        """Gives a session back to its user, in any login session that is not revoked."""
        identity = self._authenticate(connection, session.namespace, auth.get("token"))
        if session.user_id != (identity.user_id if identity is not None else None):
            return False
        if identity is not None:
            bind_identity(connection, identity, self._token_watch)
            self._presence.device_connected(connection.id, identity.user_id)
        return True

    def resumed(self, session: Session) -> None:
        self._watches.resume(session)

    def not_recovered(self, session: Session, code: int | None) -> None:
        """Tells the client to read everything again that the lost session would have told it."""
        session.push_replayable(RESYNC.name, encode_model(Resync(scope=room_names.RESYNC_ALL, code=code)))

    def expired(self, session: Session) -> None:
        self._forget(session)

    def _leave_if_empty(self, connection: Connection[Session]) -> None:
        """A connection without a session counts for no user's presence, until it gets one."""
        if not connection.sessions:
            self._presence.device_disconnected(connection.id)
            self._token_watch.unwatch(connection)

    def _note_stalled(self, session: Session) -> None:
        """A client that did not ask for recovery has no private id; its login session identifies it when it returns."""
        identity = session.connection.identity
        if identity is not None and session.recovery_state is None:
            self._stalled_clients.add((identity.login_session_id, session.namespace))

    def _forget(self, session: Session) -> None:
        self._watches.unwatch(session)
        self._membership.remove_session(session)

    async def _is_flood(self, kind: str, connection: Connection[Session], rate: RateLimit) -> bool:
        """Counts one, and closes the connection when it is over the limit."""
        decision = await self._flood_limiter.hit([(f"{kind}:{connection.id}", rate, 1)])
        if not decision.allowed:
            log.warning("flood", kind=kind, peer_address=connection.peer_address)
            connection.close(CLOSE_FLOOD)
        return not decision.allowed

    def _authenticate(self, connection: Connection[Session], namespace: str, token: object) -> Identity | None:
        if token is None and namespace == AUTH_NAMESPACE:
            return None
        try:
            if not isinstance(token, str | Identity):  # what a client sends is no Identity
                raise CommandError(UNAUTHENTICATED)
            identity = self._authenticator.identify(token)
            bound = connection.identity
            if identity is not None and bound is not None and not _same_login(bound, identity):
                raise CommandError(FORBIDDEN, "This connection belongs to another login session.")
        except CommandError as error:
            raise ConnectRefused(error.code.code, error.message) from None
        return identity

    async def _enter_rooms(self, session: Session, identity: Identity) -> None:
        # The user's room first: a room that is created after the others were read is announced there.
        await self._membership.join(session, room_names.person_room(identity.user_id))
        found = await self._room_reader.rooms_of(session.namespace, identity.user_id)
        await self._membership.join(session, *found)


def bind_identity(connection: Connection[Session], identity: Identity, token_watch: TokenWatch) -> None:
    """Binds the connection to this user until the token expires; a token older than the known one changes nothing."""
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

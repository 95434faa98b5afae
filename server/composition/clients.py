"""Everything that answers clients: sockets, long-polling, REST, and the HTTP server that they share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.http.origins import OriginPolicy
from realtime.engine.http.proxies import TrustedProxies
from realtime.engine.options import EngineOptions
from realtime.engine.protocol import msgpack_packets
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.server import SocketEngine
from realtime.handoff.session_directory import SessionDirectory
from realtime.handoff.session_migration import SessionMigration
from server.composition.accounts import Accounts
from server.composition.context import NodeContext
from server.composition.messaging import Messaging
from server.composition.pipeline import Pipeline
from server.composition.storage import Storage
from server.documents.documents import Documents
from server.monitoring.health import Health, readiness
from server.transports.answer_headers import AnswerHeaders
from server.transports.cors import SharedApi
from server.transports.documents import ServedDocuments
from server.transports.events.event_stream import EventStream
from server.transports.events.long_polling import LongPolling
from server.transports.events.sessions import EventSessions
from server.transports.events.tickets import Tickets
from server.transports.http_server import HttpServer
from server.transports.page import Pages
from server.transports.rest import Rest
from server.transports.security_txt import SecurityTxt
from server.transports.sockets import SocketPolicy
from server.version import VERSION

MSGPACK_PATH = "/socket.io-msgpack/"
MISSED_PER_UNREAD = 4
"""A client that was closed for not reading has missed more than it may leave unread, and can get it part by part."""


@dataclass(frozen=True, slots=True)
class Clients:
    recovery: Recovery
    migration: SessionMigration
    engines: Sequence[SocketEngine]
    event_sessions: EventSessions
    http_server: HttpServer


def build_clients(
    node: NodeContext,
    storage: Storage,
    accounts: Accounts,
    messaging: Messaging,
    pipeline: Pipeline,
    stack: AsyncExitStack,
) -> Clients:
    settings = node.settings
    stalled_clients = StalledClients()
    sockets = SocketPolicy(
        dispatcher=pipeline.dispatcher,
        room_reader=messaging.room_reader,
        authenticator=accounts.authenticator,
        membership=messaging.membership,
        limiter=pipeline.limiter,
        token_watch=accounts.token_watch,
        presence=messaging.presence,
        watches=messaging.watches,
        stalled_clients=stalled_clients,
        rate_limit_factor=settings.rate_limit_factor,
    )
    recoverable = RecoverableSessions(
        hub=messaging.hub,
        logs=messaging.logs,
        policy=sockets,
        node_id=node.node_id,
        window_s=settings.recovery_window_s,
        max_missed_bytes=settings.max_unread_bytes * MISSED_PER_UNREAD,
        max_kept=settings.recovery_sessions_max,
    )
    directory = SessionDirectory(storage.redis, node.node_id)
    stack.push_async_callback(directory.stop)
    migration = SessionMigration(
        recoverable=recoverable,
        stalled_clients=stalled_clients,
        policy=sockets,
        membership=messaging.membership,
        fanout=messaging.fanout,
        backplane=messaging.backplane,
        watches=messaging.watches,
        directory=directory,
    )
    recovery = Recovery(
        recoverable=recoverable,
        policy=sockets,
        stalled_clients=stalled_clients,
        other_nodes=migration,
        max_part_bytes=settings.max_unread_bytes // 2,
    )
    sessions = SessionManager(policy=sockets, hub=messaging.hub, recovery=recovery)
    proxies = TrustedProxies(settings.trusted_proxies, address_header=settings.forwarded_header)
    origins = OriginPolicy(settings.allowed_origins, proxies)
    engines = [
        SocketEngine(sessions=sessions, options=options, drain_state=node.drain_state)
        for options in _engine_options(node, origins, proxies)
    ]
    event_sessions = EventSessions(
        registry=node.registry,
        drain_state=node.drain_state,
        sessions=sessions,
        membership=messaging.membership,
        limiter=pipeline.limiter,
        peer_address=proxies.client_address,
        rate_limit_factor=settings.rate_limit_factor,
    )
    long_polling = LongPolling(event_sessions, accounts.authenticator, left_out=node.registry.connection_pushes)
    tickets = Tickets(storage.redis)
    stack.push_async_callback(tickets.stop)
    event_stream = EventStream(
        event_sessions,
        accounts.authenticator,
        tickets,
        max_unread_bytes=settings.max_unread_bytes,
        unread_s=(settings.ping_interval_ms + settings.ping_timeout_ms) / 1_000,
    )
    checks = readiness(storage.reserved_units, messaging.backplane, node.drain_state)
    rest = Rest(
        registry=node.registry,
        dispatcher=pipeline.dispatcher,
        peer_address=proxies.client_address,
        max_body_bytes=settings.max_packet_bytes,
        body_timeout_s=settings.body_timeout_s,
    )
    http_server = HttpServer(
        engines,
        [
            AnswerHeaders().attach,
            SharedApi(origins).attach,
            Health(checks, node.metrics, VERSION).attach,
            Pages(node.registry, demo_login=settings.demo_login).attach,
            ServedDocuments(Documents(node.registry)).attach,
            SecurityTxt(settings.security_contact, node.clock).attach,
            long_polling.attach,
            event_stream.attach,
            rest.attach,  # last: it answers every other path below its prefixes with an error
        ],
        host=settings.host,
        port=settings.port,
        max_body_bytes=settings.max_packet_bytes,
        body_timeout_s=settings.body_timeout_s,
        shutdown_timeout_s=settings.drain_timeout_s,
    )
    return Clients(recovery, migration, engines, event_sessions, http_server)


def _engine_options(node: NodeContext, origins: OriginPolicy, proxies: TrustedProxies) -> Sequence[EngineOptions]:
    """One engine for JSON and one for msgpack, with the same limits."""
    settings = node.settings
    json_options = EngineOptions(
        ping_interval_ms=settings.ping_interval_ms,
        ping_timeout_ms=settings.ping_timeout_ms,
        max_packet_bytes=settings.max_packet_bytes,
        max_unread_bytes=settings.max_unread_bytes,
        connect_timeout_ms=settings.socket_connect_timeout_ms,
        max_frames_per_s=settings.max_frames_per_s,
        origins=origins,
        proxies=proxies,
        namespaces=node.registry.namespaces,
        sid_prefix=f"{node.node_id}.",
    )
    return json_options, replace(json_options, path=MSGPACK_PATH, codec=msgpack_packets)

"""Everything that answers clients: sockets, long-polling, REST, and the HTTP server that they share."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial

from realtime.engine.drain_state import DrainState
from realtime.engine.http.peer import peer_address
from realtime.engine.options import EngineOptions
from realtime.engine.protocol import msgpack_packets
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.server import SocketEngine
from realtime.handoff.session_directory import SessionDirectory
from realtime.handoff.session_migration import SessionMigration
from server.composition.accounts import Accounts
from server.composition.messaging import Messaging
from server.composition.pipeline import Pipeline
from server.composition.storage import Storage
from server.config import Settings
from server.monitoring.health import Health
from server.pipeline.registry import Registry
from server.transports.cors import share_api_with_pages
from server.transports.http_server import HttpServer
from server.transports.long_polling import LongPolling
from server.transports.page import attach_page
from server.transports.rest import Rest
from server.transports.sockets import Sockets

MSGPACK_PATH = "/socket.io-msgpack/"
MISSED_PER_UNREAD = 4
"""A client that was closed for not reading has missed more than it may leave unread, and can get it part by part."""


@dataclass(frozen=True, slots=True)
class Clients:
    recovery: Recovery
    migration: SessionMigration
    engines: Sequence[SocketEngine]
    long_polling: LongPolling
    http_server: HttpServer


def build_clients(
    settings: Settings,
    node_id: str,
    registry: Registry,
    storage: Storage,
    accounts: Accounts,
    messaging: Messaging,
    pipeline: Pipeline,
    health: Health,
    drain_state: DrainState,
    stack: AsyncExitStack,
) -> Clients:
    sockets = Sockets(
        dispatcher=pipeline.dispatcher,
        room_reader=messaging.room_reader,
        authenticator=accounts.authenticator,
        membership=messaging.membership,
        limiter=pipeline.limiter,
        token_watch=accounts.token_watch,
        presence=messaging.presence,
        watches=messaging.watches,
        rate_limit_factor=settings.rate_limit_factor,
    )
    recovery = Recovery(
        hub=messaging.hub,
        logs=messaging.logs,
        policy=sockets,
        node_id=node_id,
        window_s=settings.recovery_window_s,
        max_part_bytes=settings.max_unread_bytes // 2,
        max_missed_bytes=settings.max_unread_bytes * MISSED_PER_UNREAD,
        max_kept=settings.recovery_sessions_max,
    )
    directory = SessionDirectory(storage.redis, node_id)
    stack.push_async_callback(directory.stop)
    migration = SessionMigration(
        recovery=recovery,
        policy=sockets,
        membership=messaging.membership,
        fanout=messaging.fanout,
        backplane=messaging.backplane,
        watches=messaging.watches,
        directory=directory,
    )
    engines = [
        SocketEngine(policy=sockets, hub=messaging.hub, options=options, drain_state=drain_state, recovery=recovery)
        for options in _engine_options(settings, registry, node_id)
    ]
    address_of = partial(peer_address, trusted_proxies=settings.trusted_proxies)
    long_polling = LongPolling(
        registry=registry,
        sockets=sockets,
        hub=messaging.hub,
        drain_state=drain_state,
        recovery=recovery,
        authenticator=accounts.authenticator,
        membership=messaging.membership,
        limiter=pipeline.limiter,
        peer_address=address_of,
        rate_limit_factor=settings.rate_limit_factor,
    )
    rest = Rest(
        registry=registry,
        dispatcher=pipeline.dispatcher,
        authenticator=accounts.authenticator,
        peer_address=address_of,
        max_body_bytes=settings.max_packet_bytes,
        body_timeout_s=settings.body_timeout_s,
    )
    http_server = HttpServer(
        [
            *(engine.attach for engine in engines),
            health.attach,
            attach_page,
            long_polling.attach,
            rest.attach,  # last: it answers every other path below its prefixes with an error
        ],
        [share_api_with_pages(settings.allowed_origins, settings.trusted_proxies)],
        host=settings.host,
        port=settings.port,
        max_body_bytes=settings.max_packet_bytes,
        body_timeout_s=settings.body_timeout_s,
        shutdown_timeout_s=settings.drain_timeout_s,
    )
    return Clients(recovery, migration, engines, long_polling, http_server)


def _engine_options(settings: Settings, registry: Registry, node_id: str) -> Sequence[EngineOptions]:
    """One engine for JSON and one for msgpack, with the same limits."""
    json_options = EngineOptions(
        ping_interval_ms=settings.ping_interval_ms,
        ping_timeout_ms=settings.ping_timeout_ms,
        max_packet_bytes=settings.max_packet_bytes,
        max_unread_bytes=settings.max_unread_bytes,
        connect_timeout_ms=settings.socket_connect_timeout_ms,
        max_frames_per_s=settings.max_frames_per_s,
        allowed_origins=settings.allowed_origins,
        trusted_proxies=settings.trusted_proxies,
        namespaces=registry.namespaces,
        sid_prefix=f"{node_id}.",
    )
    return json_options, replace(json_options, path=MSGPACK_PATH, codec=msgpack_packets)

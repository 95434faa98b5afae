"""The aiohttp application of a node: sockets, REST, long-polling, health, the page."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from socket import socket

from aiohttp import web

from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.http.listening_socket import listen
from realtime.engine.http.peer import peer_address
from realtime.engine.hub import Hub
from realtime.engine.options import EngineOptions
from realtime.engine.protocol import msgpack_packets
from realtime.engine.recovery.recoverable_sessions import RecoverableSessions
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.recovery.stalled_clients import StalledClients
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.engine.server import SocketEngine
from realtime.engine.site import EngineSite
from realtime.handoff.session_directory import SessionDirectory
from realtime.handoff.session_migration import SessionMigration
from realtime.limits.limiter import Limiter
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.backplane import Backplane
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from server.accounts.authenticator import Authenticator
from server.accounts.token_watch import TokenWatch
from server.config import Settings
from server.monitoring.health import Health
from server.pipeline.dispatch import Dispatcher
from server.pipeline.registry import Registry
from server.rooms.room_reader import RoomReader
from server.transports.cors import share_api_with_pages
from server.transports.drain import drain
from server.transports.long_polling import LongPolling
from server.transports.page import attach_page
from server.transports.rest import Rest
from server.transports.sockets import Sockets

MSGPACK_PATH = "/socket.io-msgpack/"
BACKLOG = 1024
MISSED_PER_UNREAD = 4
"""Who was cut off for not reading has missed more than it may leave unread, and can be told it bit by bit."""
ACCEPTING_S = 0.02
"""In which the loop makes a connection of a socket that it has accepted."""
LINGERING_S = 2.0
"""How long the rest of a refused body is still read: a client that is cut off while it sends sees no answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpServer:
    """Everything that answers clients, and what it needs of the node."""

    settings: Settings
    node_id: str
    hub: Hub
    logs: ReplayLogs
    fanout: Fanout
    backplane: Backplane
    directory: SessionDirectory
    registry: Registry
    dispatcher: Dispatcher
    room_reader: RoomReader
    authenticator: Authenticator
    membership: Membership
    presence: PresenceTracker
    watches: PresenceWatches
    limiter: Limiter
    token_watch: TokenWatch
    health: Health

    async def open(self, stack: AsyncExitStack) -> int:
        """Listens; returns the real port. What it opens is closed by the stack: first no handshakes, then the sockets
        with a reason to come back, then the port, when running answers are sent.
        """
        settings = self.settings
        address_of = partial(peer_address, trusted_proxies=settings.trusted_proxies)
        app = web.Application(
            client_max_size=settings.max_packet_bytes,
            middlewares=[share_api_with_pages(settings.allowed_origins, settings.trusted_proxies)],
        )
        stalled_clients = StalledClients()
        sockets = Sockets(
            dispatcher=self.dispatcher,
            room_reader=self.room_reader,
            authenticator=self.authenticator,
            membership=self.membership,
            limiter=self.limiter,
            token_watch=self.token_watch,
            presence=self.presence,
            watches=self.watches,
            stalled_clients=stalled_clients,
            rate_limit_factor=settings.rate_limit_factor,
        )
        recoverable = RecoverableSessions(
            hub=self.hub,
            logs=self.logs,
            policy=sockets,
            node_id=self.node_id,
            window_s=settings.recovery_window_s,
            max_missed_bytes=settings.max_unread_bytes * MISSED_PER_UNREAD,
            max_kept=settings.recovery_sessions_max,
        )
        migration = SessionMigration(
            recoverable=recoverable,
            stalled_clients=stalled_clients,
            policy=sockets,
            membership=self.membership,
            fanout=self.fanout,
            backplane=self.backplane,
            watches=self.watches,
            directory=self.directory,
        )
        recovery = Recovery(
            recoverable=recoverable,
            policy=sockets,
            stalled_clients=stalled_clients,
            other_nodes=migration,
            max_part_bytes=settings.max_unread_bytes // 2,
        )
        stack.callback(recovery.stop)
        sessions = SessionManager(policy=sockets, hub=self.hub, recovery=recovery)
        engines = [
            SocketEngine(policy=sockets, hub=self.hub, sessions=sessions, options=options)
            for options in self._engine_options()
        ]
        for engine in engines:
            engine.attach(app)
        self.health.attach(app)
        attach_page(app)
        polling = LongPolling(
            registry=self.registry,
            sockets=sockets,
            sessions=sessions,
            authenticator=self.authenticator,
            membership=self.membership,
            limiter=self.limiter,
            peer_address=address_of,
            rate_limit_factor=settings.rate_limit_factor,
        )
        polling.attach(app)
        Rest(
            registry=self.registry,
            dispatcher=self.dispatcher,
            authenticator=self.authenticator,
            peer_address=address_of,
            max_body_bytes=settings.max_packet_bytes,
            body_timeout_s=settings.body_timeout_s,
        ).attach(app)
        await migration.start()
        stack.push_async_callback(migration.stop)
        runner = web.AppRunner(
            app,
            access_log=None,
            tcp_keepalive=False,  # inherited of the listening socket
            shutdown_timeout=settings.drain_timeout_s,
            # Bodies are bounded as they come; what they unpack to would have to be bounded apart.
            auto_decompress=False,
            lingering_time=min(LINGERING_S, settings.body_timeout_s),
        )
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        stack.callback(polling.stop)
        listening = listen(settings.host, settings.port, backlog=BACKLOG)
        site = EngineSite(runner, listening, engines, backlog=BACKLOG)
        await site.start()
        stack.push_async_callback(_stop_listening, site, listening)
        stack.push_async_callback(
            drain,
            hub=self.hub,
            namespaces=self.registry.namespaces,
            migration=migration,
            recovery=recovery,
            engines=engines,
            deadline_s=settings.drain_timeout_s,
        )
        stack.callback(sockets.start_draining)
        return int(runner.addresses[0][1])

    def _engine_options(self) -> list[EngineOptions]:
        """Of each mount: the same rooms and rules for JSON and for msgpack."""
        settings = self.settings
        json_options = EngineOptions(
            ping_interval_ms=settings.ping_interval_ms,
            ping_timeout_ms=settings.ping_timeout_ms,
            max_packet_bytes=settings.max_packet_bytes,
            max_unread_bytes=settings.max_unread_bytes,
            connect_timeout_ms=settings.socket_connect_timeout_ms,
            max_frames_per_s=settings.max_frames_per_s,
            allowed_origins=settings.allowed_origins,
            trusted_proxies=settings.trusted_proxies,
            namespaces=self.registry.namespaces,
            sid_prefix=f"{self.node_id}.",
        )
        return [json_options, replace(json_options, path=MSGPACK_PATH, codec=msgpack_packets)]


async def _stop_listening(site: EngineSite, listening: socket) -> None:
    """Accepts nobody any more, and gives whoever was accepted just now the time to become known to the runner.

    asyncio loses a connection that it accepted in the very turn in which its server is closed: nobody would close it.
    """
    asyncio.get_running_loop().remove_reader(listening)
    await asyncio.sleep(ACCEPTING_S)
    await site.stop()

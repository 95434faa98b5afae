"""The composition root: what a process is made of, in which order it starts, and how it stops."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from realtime.backplane_redis import RedisBackplane
from realtime.engine.hub import Hub
from realtime.engine.peer import peer_address
from realtime.engine.server import EngineOptions, SocketEngine
from realtime.errors import CLOSE_DRAINING
from realtime.fanout import Fanout
from realtime.gaps import Gaps
from realtime.limits_redis import open_limiter
from realtime.listeners import Listeners
from realtime.membership import Membership
from realtime.packed_lists import PackedLists
from realtime.redis_client import open_redis
from realtime.streams import FactStreams
from server.auth import Tokens
from server.clock import SystemClock
from server.config import Settings
from server.dispatch import Dispatcher
from server.features import FEATURES
from server.gate import Gate
from server.health import Health
from server.metrics import Metrics
from server.passwords import Passwords
from server.registry import Registry
from server.relay import Relay
from server.rest import Rest
from server.revocations import Revocations
from server.services import make_services
from server.sockets import Sockets
from server.token_watch import TokenWatch
from server.version import VERSION
from server.worker import Worker
from sql.catalogue import load_queries
from sql.errors import Unavailable
from sql.pool import close_pool, open_pool
from sql.unit import Units

RESEND_AFTER_S = 30.0
"""A Fact that was not confirmed by every consumer within this time goes on the stream again."""

log = structlog.get_logger(__name__)


class Node:
    """One process of Rookery: it serves clients, works on Facts, or both. Equal nodes stand beside each other.

    `start` returns when it is ready; `port` is the real one then. `stop` drains: no new clients, sockets told and closed,
    answers of running commands sent.
    """

    def __init__(self, settings: Settings, *, serve: bool, work: bool) -> None:
        self._settings = settings
        self._serve = serve
        self._work = work
        self._stack = AsyncExitStack()
        self.node_id = secrets.token_hex(4)
        self.port = settings.port
        self.hub = Hub()
        self.registry = Registry(FEATURES)
        self.dispatcher: Dispatcher
        self.draining = False

    async def start(self) -> None:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Stops in the reverse order of the start. May be called once."""
        self.draining = True
        await self._stack.aclose()

    async def _start(self) -> None:
        settings, stack, clock, metrics, queries = self._settings, self._stack, SystemClock(), Metrics(), load_queries()
        pool = await open_pool(
            settings.database_url,
            min_size=settings.pool_min,
            max_size=settings.pool_max,
            connect_timeout_s=settings.connect_timeout_s,
            statement_timeout_ms=settings.statement_timeout_ms,
            idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
        )
        stack.push_async_callback(close_pool, pool, timeout_s=settings.drain_timeout_s)
        redis = open_redis(settings.redis_url, client_name=f"rookery-{self.node_id}")
        stack.push_async_callback(redis.aclose)
        units = Units(pool, acquire_timeout_s=settings.acquire_timeout_s)

        backplane = RedisBackplane(settings.redis_url, node_id=self.node_id)
        listeners = Listeners(redis, self.node_id)
        membership = Membership(self.hub, backplane, listeners)
        gaps = Gaps(self.hub, membership, self.registry.namespaces)
        tokens = Tokens(settings, clock)
        revocations = Revocations(units, queries, clock, access_token_ttl_s=settings.access_token_ttl_s)
        fanout = Fanout(
            self.hub,
            backplane,
            listeners,
            membership,
            gaps,
            on_revoked=revocations.learn,
            on_delivered=metrics.delivered,
        )
        passwords = Passwords(settings.password_hash_concurrency)
        stack.callback(passwords.close)
        limiter = open_limiter(redis)
        services = make_services(
            settings,
            clock=clock,
            tokens=tokens,
            passwords=passwords,
            feeds=PackedLists(redis, prefix="feed", max_length=settings.feed_list_max),
            listeners=listeners,
            limiter=limiter,
            metrics=metrics,
        )
        gate = Gate(tokens, revocations, clock)
        streams = FactStreams(redis)
        relay = Relay(units, queries, streams, self.registry.consumers_by_fact(), resend_after_s=RESEND_AFTER_S)
        self.dispatcher = Dispatcher(
            registry=self.registry,
            units=units,
            queries=queries,
            services=services,
            gate=gate,
            fanout=fanout,
            metrics=metrics,
            wake_relay=relay.wake,
        )
        await fanout.start()
        stack.push_async_callback(fanout.stop)
        token_watch = TokenWatch(self.hub, clock)
        await revocations.start(token_watch.revoke)
        stack.push_async_callback(revocations.stop)
        relay.start()
        stack.push_async_callback(relay.stop)
        if self._work:
            worker = Worker(
                dispatcher=self.dispatcher,
                registry=self.registry,
                streams=streams,
                units=units,
                queries=queries,
                metrics=metrics,
                worker_id=self.node_id,
            )
            worker.start()
            stack.push_async_callback(worker.stop)
        if self._serve:
            sockets = Sockets(
                registry=self.registry,
                dispatcher=self.dispatcher,
                gate=gate,
                membership=membership,
                limiter=limiter,
                token_watch=token_watch,
                rate_limit_factor=settings.rate_limit_factor,
            )

            async def database() -> str | None:
                try:
                    async with units.read() as connection:
                        await queries.facts.read_backlog(connection)
                except Unavailable as error:
                    return f"PostgreSQL: {error}"
                return None

            async def redis_heard() -> str | None:
                return None if backplane.healthy else "the backplane does not hear itself"

            async def not_draining() -> str | None:
                return "draining" if self.draining else None

            health = Health(
                {"database": database, "backplane": redis_heard, "draining": not_draining}, metrics, VERSION
            )
            await self._listen(sockets, health)

    async def _listen(self, sockets: Sockets, health: Health) -> None:
        settings, stack = self._settings, self._stack
        app = web.Application(client_max_size=settings.max_packet_bytes)
        engine = SocketEngine(
            policy=sockets,
            hub=self.hub,
            options=EngineOptions(
                ping_interval_ms=settings.ping_interval_ms,
                ping_timeout_ms=settings.ping_timeout_ms,
                max_packet_bytes=settings.max_packet_bytes,
                max_unread_bytes=settings.max_unread_bytes,
                connect_timeout_ms=settings.socket_connect_timeout_ms,
                allowed_origins=settings.allowed_origins,
                trusted_proxies=settings.trusted_proxies,
                namespaces=self.registry.namespaces,
            ),
        )
        engine.attach(app)
        health.attach(app)
        rest = Rest(
            registry=self.registry,
            dispatcher=self.dispatcher,
            peer_address=partial(peer_address, trusted_proxies=settings.trusted_proxies),
            max_body_bytes=settings.max_packet_bytes,
        )
        rest.attach(app)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=settings.drain_timeout_s)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, settings.host, settings.port, backlog=1024, reuse_address=True)
        await site.start()
        self.port = runner.addresses[0][1]
        stack.push_async_callback(engine.close, CLOSE_DRAINING, deadline_s=settings.drain_timeout_s)
        stack.callback(setattr, sockets, "draining", True)


async def run(
    settings: Settings, *, serve: bool, work: bool, on_ready: Callable[[int], None] | None = None
) -> None:
    """Runs a node until SIGTERM or SIGINT, then stops it cleanly. `on_ready` hears the port."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    node = Node(settings, serve=serve, work=work)
    await node.start()
    log.info("node_started", node_id=node.node_id, port=node.port if serve else None, serve=serve, work=work)
    if on_ready is not None:
        on_ready(node.port)
    await stopping.wait()
    log.info("node_stopping", node_id=node.node_id)
    await node.stop()

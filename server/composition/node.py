"""The composition root: what a process is made of, in which order it starts, and how it stops."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial

import structlog

from handlers.feature import Feature
from handlers.presence.notices import PresenceRows
from realtime.engine.hub import Hub
from realtime.engine.replay.replay_log import ReplayLogs
from realtime.feeds.packed_lists import PackedLists
from realtime.handoff.session_directory import SessionDirectory
from realtime.limits.fallback_limiter import FallbackLimiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.redis_limiter import RedisLimiter
from realtime.presence.tracker import CHANNEL as PRESENCE_CHANNEL
from realtime.presence.tracker import PresenceTracker
from realtime.presence.watches import PresenceWatches
from realtime.pubsub.fanout import Fanout
from realtime.pubsub.membership import Membership
from realtime.pubsub.redis_backplane import RedisBackplane
from realtime.pubsub.resync_notifier import ResyncNotifier
from realtime.pubsub.topic_registry import TopicRegistry
from realtime.redis.client import open_redis
from realtime.redis.fact_streams import FactStreams
from server.accounts.authenticator import Authenticator
from server.accounts.passwords import Passwords
from server.accounts.revocations import Revocations
from server.accounts.secrets_file import signing_keys
from server.accounts.token_sweeper import TokenSweeper
from server.accounts.token_watch import TokenWatch
from server.accounts.tokens import Tokens
from server.clock import SystemClock
from server.config import Settings
from server.features import FEATURES
from server.monitoring.health import Health, readiness
from server.monitoring.metrics import Metrics
from server.pipeline.dispatch import Dispatcher
from server.pipeline.ready_commands import ReadyCommands
from server.pipeline.registry import Registry
from server.pipeline.services import make_services
from server.pipeline.unit_runner import UnitRunner
from server.rooms.room_reader import RoomReader
from server.rooms.room_resync import RoomResync
from server.transports.http_server import HttpServer
from server.version import VERSION
from server.worker.relay import Relay
from server.worker.worker import Worker
from sql.database import Queries, load_queries
from sql.pool import close_pool, open_pool
from sql.unit import Units

RESEND_AFTER_S = 30.0
"""A Fact that was not confirmed by every consumer within this time goes on the stream again."""

CANCELLED_TASKS_END_WITHIN_S = 0.1
"""A task that was cancelled last needs some rounds of the loop."""

log = structlog.get_logger(__name__)


class Node:
    """One process of Rookery: it serves clients, works on Facts, or both. Equal nodes stand beside each other.

    `start` returns when it is ready; `port` is the real one then. `stop` drains: no new clients, sockets closed with a
    reason, answers of running commands sent.
    """

    def __init__(self, settings: Settings, *, serve: bool, work: bool, features: Sequence[Feature] = FEATURES) -> None:
        self._settings = settings
        self._serve = serve
        self._work = work
        self._stack = AsyncExitStack()
        self.node_id = _new_node_id(settings.node_name)
        self.port = settings.port
        self.hub = Hub()
        self.registry = Registry(features)
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
        units = await self._open_units(queries, settings.pool_min, settings.pool_max, max(1, settings.pool_max // 2))
        # A connection of its own: that a login has ended, and that the node is well, must be known under any load.
        reserved_units = await self._open_units(queries, 1, 1)
        redis = open_redis(settings.redis_url, client_name=f"rookery-{self.node_id}")
        stack.push_async_callback(redis.aclose)

        backplane = RedisBackplane(redis, self.node_id)
        topic_registry = TopicRegistry(redis, self.node_id)
        membership = Membership(self.hub, backplane, topic_registry)
        presence_rows = PresenceRows(units, clock)
        presence = PresenceTracker(
            topic_registry, backplane, grace_s=settings.presence_grace_s, note_left=presence_rows.note_left
        )
        ping_ms = settings.ping_interval_ms + settings.ping_timeout_ms
        watches = PresenceWatches(presence, backplane, tell=presence_rows.tell, unnoticed_s=ping_ms / 1000)
        resync_notifier = ResyncNotifier(self.hub, membership, self.registry.namespaces)
        logs = ReplayLogs(
            # What was written before a lost client was noticed has to be there too.
            keep_s=ping_ms / 1000 + settings.recovery_window_s,
            max_bytes=settings.recovery_log_max_bytes,
            now_s=asyncio.get_running_loop().time,
        )
        keys = signing_keys(settings.token_secrets, settings.data_dir)
        tokens = Tokens(keys, clock, access_token_ttl_s=settings.access_token_ttl_s)
        revocations = Revocations(reserved_units, clock, access_token_ttl_s=settings.access_token_ttl_s)
        room_reader = RoomReader(self.registry, units)
        stack.push_async_callback(room_reader.stop)
        room_resync = RoomResync(self.hub, room_reader)
        fanout = Fanout(
            self.hub,
            backplane,
            topic_registry,
            membership,
            resync_notifier,
            logs,
            on_revoked=revocations.learn,
            on_orders_missed=room_resync.missed,
            on_delivered=metrics.delivered,
            hearers={PRESENCE_CHANNEL: watches},
            positions_every_s=settings.positions_every_s,
        )
        passwords = Passwords(
            concurrency=settings.password_hash_concurrency, waiting_max=settings.password_hash_waiting_max
        )
        stack.callback(passwords.close)
        shared_limiter = RedisLimiter(redis)
        stack.push_async_callback(shared_limiter.stop)
        limiter = FallbackLimiter(
            shared_limiter, MemoryLimiter(), on_fallback=partial(metrics.count, "limits_counted_by_this_node_alone")
        )
        feeds = PackedLists(
            redis,
            prefix="feed",
            max_length=settings.feed_list_max,
            idle_ttl_s=settings.feed_days_limit * 86_400,
        )
        stack.push_async_callback(feeds.stop)
        services = make_services(
            settings,
            clock=clock,
            tokens=tokens,
            passwords=passwords,
            feeds=feeds,
            topic_registry=topic_registry,
            presence=presence,
            limiter=limiter,
            metrics=metrics,
        )
        directory = SessionDirectory(redis, self.node_id)
        stack.push_async_callback(directory.stop)
        authenticator = Authenticator(tokens, revocations, clock)
        streams = FactStreams(redis)
        stack.push_async_callback(streams.stop)
        relay = Relay(units, streams, resend_after_s=RESEND_AFTER_S)
        self.dispatcher = Dispatcher(
            commands=ReadyCommands(self.registry, metrics.commands, rate_limit_factor=settings.rate_limit_factor),
            operations=UnitRunner(units, services),
            limiter=limiter,
            authenticator=authenticator,
            fanout=fanout,
            wake_relay=relay.wake,
        )
        await fanout.start()
        stack.push_async_callback(fanout.stop)
        room_resync.start(fanout)
        stack.push_async_callback(room_resync.stop)
        token_watch = TokenWatch(clock, access_token_ttl_s=settings.access_token_ttl_s)
        revocations.tell(token_watch.revoke)
        await revocations.start()
        stack.push_async_callback(revocations.stop)
        relay.start()
        stack.push_async_callback(relay.stop)
        if self._work:
            worker = Worker(
                dispatcher=self.dispatcher,
                registry=self.registry,
                streams=streams,
                units=units,
                metrics=metrics,
                worker_id=self.node_id,
                concurrency=max(1, settings.pool_max // 2),
                reclaim_idle_ms=settings.reclaim_idle_ms,
            )
            worker.start()
            stack.push_async_callback(worker.stop)
            token_sweeper = TokenSweeper(units, clock)
            token_sweeper.start()
            stack.push_async_callback(token_sweeper.stop)
        if self._serve:
            presence.start()
            stack.push_async_callback(presence.stop)
            watches.start()
            stack.push_async_callback(watches.stop)
            front = HttpServer(
                settings=settings,
                node_id=self.node_id,
                hub=self.hub,
                logs=logs,
                fanout=fanout,
                backplane=backplane,
                directory=directory,
                registry=self.registry,
                dispatcher=self.dispatcher,
                room_reader=room_reader,
                authenticator=authenticator,
                membership=membership,
                presence=presence,
                watches=watches,
                limiter=limiter,
                token_watch=token_watch,
                health=Health(
                    readiness(reserved_units, backplane, is_draining=lambda: self.draining), metrics, VERSION
                ),
            )
            self.port = await front.open(stack)

    async def _open_units(
        self, queries: Queries, min_size: int, max_size: int, readers_max: int | None = None
    ) -> Units:
        settings = self._settings
        pool = await open_pool(
            settings.database_url,
            min_size=min_size,
            max_size=max_size,
            connect_timeout_s=settings.connect_timeout_s,
            statement_timeout_ms=settings.statement_timeout_ms,
            idle_in_transaction_timeout_ms=settings.idle_in_transaction_timeout_ms,
        )
        self._stack.push_async_callback(close_pool, pool, timeout_s=settings.drain_timeout_s)
        return Units(
            pool,
            queries,
            acquire_timeout_s=settings.acquire_timeout_s,
            readers_max=readers_max,
            turn_timeout_s=settings.read_turn_timeout_s,
        )


def _new_node_id(name: str) -> str:
    """Unique to this run: what an earlier process of the same name has given out must not be taken for ours."""
    unique = secrets.token_hex(4)
    return f"{name}-{unique}" if name else unique


async def run(settings: Settings, *, serve: bool, work: bool, on_ready: Callable[[int], None] | None = None) -> None:
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
    await _tell_of_tasks_left_over()


async def _tell_of_tasks_left_over() -> None:
    """What still runs when all is stopped belongs to nobody: it will be cut off in the middle of its work."""
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=CANCELLED_TASKS_END_WITHIN_S)
    if left:
        log.error("tasks_left_over", tasks=[f"{task.get_name()}: {task.get_coro()}" for task in left])

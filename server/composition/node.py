"""A process of Rookery: what it is made of, and the order in which its parts start and stop."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

import structlog

from handlers.feature import Feature
from realtime.engine.drain_state import DrainState
from realtime.engine.hub import Hub
from server.clock import SystemClock
from server.composition.accounts import Accounts, build_accounts
from server.composition.clients import build_clients
from server.composition.facts import BackgroundWork, build_background_work, build_fact_relay
from server.composition.messaging import Messaging, build_messaging
from server.composition.pipeline import Pipeline, build_pipeline
from server.composition.storage import Storage, open_storage
from server.config import Settings
from server.features import FEATURES
from server.monitoring.health import Health, readiness
from server.monitoring.metrics import Metrics
from server.pipeline.dispatch import Dispatcher
from server.pipeline.registry import Registry
from server.transports.drain import drain
from server.version import VERSION

CANCELLED_TASKS_END_WITHIN_S = 0.1
"""A task that was cancelled last needs some turns of the loop."""

log = structlog.get_logger(__name__)


class Node:
    """One process: it serves clients, works on Facts, or both. All nodes are equal.

    `start` returns when the node is ready; `port` is the real one then. `stop` refuses new clients, closes connections
    with a reason to reconnect, and lets running commands be answered.
    """

    hub: Hub
    dispatcher: Dispatcher

    def __init__(self, settings: Settings, *, serve: bool, work: bool, features: Sequence[Feature] = FEATURES) -> None:
        self._settings = settings
        self._serve = serve
        self._work = work
        self._stack = AsyncExitStack()
        self._clock = SystemClock()
        self._metrics = Metrics()
        self.node_id = _new_node_id(settings.node_name)
        self.port = settings.port
        self.registry = Registry(features)
        self.drain_state = DrainState()

    async def start(self) -> None:
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self) -> None:
        """Stops all parts in the reverse order of their start."""
        self.drain_state.begin()
        await self._stack.aclose()

    async def _start(self) -> None:
        settings, clock, stack = self._settings, self._clock, self._stack
        storage = await open_storage(settings, self.node_id, stack)
        accounts = build_accounts(settings, clock, storage.reserved_units, stack)
        messaging = build_messaging(
            settings,
            clock,
            self.registry,
            storage,
            self.node_id,
            stack,
            on_revoked=accounts.revocations.add,
            on_delivered=self._metrics.delivered,
        )
        facts = build_fact_relay(storage, stack)
        pipeline = build_pipeline(
            settings,
            clock,
            self.registry,
            storage,
            accounts,
            messaging,
            self._metrics,
            stack,
            wake_relay=facts.relay.wake,
        )
        self.hub, self.dispatcher = messaging.hub, pipeline.dispatcher

        await messaging.fanout.start()
        stack.push_async_callback(messaging.fanout.stop)
        messaging.room_resync.start()
        stack.push_async_callback(messaging.room_resync.stop)
        await accounts.revocations.start()
        stack.push_async_callback(accounts.revocations.stop)
        facts.relay.start()
        stack.push_async_callback(facts.relay.stop)
        if self._work:
            self._start_background_work(
                build_background_work(
                    settings,
                    clock,
                    self.registry,
                    storage,
                    facts.streams,
                    pipeline.dispatcher,
                    self._metrics,
                    worker_id=self.node_id,
                )
            )
        if self._serve:
            await self._start_serving(storage, accounts, messaging, pipeline)

    def _start_background_work(self, work: BackgroundWork) -> None:
        work.worker.start()
        self._stack.push_async_callback(work.worker.stop)
        work.token_sweeper.start()
        self._stack.push_async_callback(work.token_sweeper.stop)

    async def _start_serving(
        self, storage: Storage, accounts: Accounts, messaging: Messaging, pipeline: Pipeline
    ) -> None:
        stack = self._stack
        messaging.presence.start()
        stack.push_async_callback(messaging.presence.stop)
        messaging.watches.start()
        stack.push_async_callback(messaging.watches.stop)
        checks = readiness(storage.reserved_units, messaging.backplane, self.drain_state)
        clients = build_clients(
            self._settings,
            self.node_id,
            self.registry,
            storage,
            accounts,
            messaging,
            pipeline,
            Health(checks, self._metrics, VERSION),
            self.drain_state,
            stack,
        )
        stack.callback(clients.recovery.stop)
        await clients.migration.start()
        stack.push_async_callback(clients.migration.stop)
        # At the stop: sockets are closed with a reason to reconnect, then the port, then waiting polls are answered,
        # and at last the answers of running requests are awaited.
        await clients.http_server.open()
        stack.push_async_callback(clients.http_server.close)
        stack.callback(clients.long_polling.stop)
        port = await clients.http_server.listen()
        stack.push_async_callback(port.close)
        self.port = port.number
        stack.push_async_callback(
            drain,
            hub=messaging.hub,
            namespaces=self.registry.namespaces,
            migration=clients.migration,
            recovery=clients.recovery,
            engines=clients.engines,
            deadline_s=self._settings.drain_timeout_s,
        )


def _new_node_id(name: str) -> str:
    """Unique to this run: sids and cursors of an earlier process with the same name must not be taken for ours."""
    unique = secrets.token_hex(4)
    return f"{name}-{unique}" if name else unique


async def run(settings: Settings, *, serve: bool, work: bool, on_ready: Callable[[int], None] | None = None) -> None:
    """Runs a node until SIGTERM or SIGINT, then stops it cleanly. `on_ready` gets the real port."""
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
    await _log_remaining_tasks()


async def _log_remaining_tasks() -> None:
    """A task that still runs after the stop has no owner: the end of the process cuts it off in the middle."""
    remaining = asyncio.all_tasks() - {asyncio.current_task()}
    if remaining:
        _, remaining = await asyncio.wait(remaining, timeout=CANCELLED_TASKS_END_WITHIN_S)
    if remaining:
        log.error("tasks_left_over", tasks=[f"{task.get_name()}: {task.get_coro()}" for task in remaining])

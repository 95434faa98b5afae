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
from server.composition.context import NodeContext
from server.composition.facts import build_background_work
from server.composition.messaging import Messaging, build_messaging
from server.composition.pipeline import Pipeline, build_pipeline
from server.composition.storage import Storage, open_storage
from server.config import Settings
from server.features import FEATURES
from server.monitoring.metrics import Metrics
from server.pipeline.dispatch import Dispatcher
from server.pipeline.operator import OperatorRunner
from server.pipeline.reactions import Reactions
from server.pipeline.registry import Registry
from server.transports.drain import drain
from server.worker.wake_up import CHANNEL as WAKE_UP_CHANNEL
from server.worker.wake_up import WakeUp

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
    reactions: Reactions
    operator: OperatorRunner

    def __init__(self, settings: Settings, *, serve: bool, work: bool, features: Sequence[Feature] = FEATURES) -> None:
        self._serve = serve
        self._work = work
        self._stack = AsyncExitStack()
        self._context = NodeContext(
            settings=settings,
            node_id=_new_node_id(settings.node_name),
            registry=Registry(features),
            clock=SystemClock(),
            metrics=Metrics(),
            drain_state=DrainState(),
        )
        self.port = settings.port

    @property
    def node_id(self) -> str:
        return self._context.node_id

    @property
    def registry(self) -> Registry:
        return self._context.registry

    @property
    def drain_state(self) -> DrainState:
        return self._context.drain_state

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
        context, stack = self._context, self._stack
        # Builders start nothing. They give the stack connections and threads, which are closed after all parts that
        # are started below have stopped.
        storage = await open_storage(context.settings, context.node_id, stack)
        accounts = build_accounts(context.settings, context.clock, storage.reserved_units, stack)
        messaging = build_messaging(context, storage, stack, on_revoked=accounts.revocations.add)
        wake_up = WakeUp(messaging.backplane)
        pipeline = build_pipeline(context, storage, accounts, messaging, stack, wake_consumers=wake_up.facts_committed)
        self.hub, self.dispatcher, self.reactions = messaging.hub, pipeline.dispatcher, pipeline.reactions
        self.operator = pipeline.operator

        await messaging.fanout.start()
        stack.push_async_callback(messaging.fanout.stop)
        messaging.room_resync.start()
        stack.push_async_callback(messaging.room_resync.stop)
        await accounts.revocations.start()
        stack.push_async_callback(accounts.revocations.stop)
        stack.push_async_callback(wake_up.stop)
        if self._work:
            work = build_background_work(context, storage, wake_up, pipeline.reactions, stack)
            await messaging.fanout.subscribe(WAKE_UP_CHANNEL, wake_up)
            work.worker.start()
            stack.push_async_callback(work.worker.stop)
            work.token_sweeper.start()
            stack.push_async_callback(work.token_sweeper.stop)
            work.tombstone_sweeper.start()
            stack.push_async_callback(work.tombstone_sweeper.stop)
            work.account_eraser.start()
            stack.push_async_callback(work.account_eraser.stop)
            work.filter_sweeper.start()
            stack.push_async_callback(work.filter_sweeper.stop)
            work.end_sweeper.start()
            stack.push_async_callback(work.end_sweeper.stop)
        if self._serve:
            await self._start_serving(storage, accounts, messaging, pipeline)

    async def _start_serving(
        self, storage: Storage, accounts: Accounts, messaging: Messaging, pipeline: Pipeline
    ) -> None:
        stack = self._stack
        messaging.presence.start()
        stack.push_async_callback(messaging.presence.stop)
        messaging.watches.start()
        stack.push_async_callback(messaging.watches.stop)
        clients = build_clients(self._context, storage, accounts, messaging, pipeline, stack)
        stack.callback(clients.recovery.stop)
        await clients.migration.start()
        stack.push_async_callback(clients.migration.stop)
        # At the stop connections are closed with a reason to reconnect, then the port; then waiting polls are answered,
        # and last the answers of running requests are awaited.
        await clients.http_server.open()
        stack.push_async_callback(clients.http_server.close)
        stack.callback(clients.event_sessions.stop)
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
            deadline_s=self._context.settings.drain_timeout_s,
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

"""The way of a Fact from the outbox to its consumers, and the worker that runs them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from realtime.redis.fact_streams import FactStreams
from server.accounts.token_sweeper import TokenSweeper
from server.composition.context import NodeContext
from server.composition.storage import Storage
from server.pipeline.dispatch import Dispatcher
from server.worker.relay import Relay
from server.worker.worker import Worker

RESEND_AFTER_S = 30.0
"""A Fact that not every consumer has confirmed within this time goes to the stream again."""


@dataclass(frozen=True, slots=True)
class FactRelay:
    streams: FactStreams
    relay: Relay


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    worker: Worker
    token_sweeper: TokenSweeper


def build_fact_relay(storage: Storage, stack: AsyncExitStack) -> FactRelay:
    streams = FactStreams(storage.redis)
    stack.push_async_callback(streams.stop)
    return FactRelay(streams, Relay(storage.units, streams, resend_after_s=RESEND_AFTER_S))


def build_background_work(
    node: NodeContext, storage: Storage, streams: FactStreams, dispatcher: Dispatcher
) -> BackgroundWork:
    worker = Worker(
        dispatcher=dispatcher,
        registry=node.registry,
        streams=streams,
        units=storage.units,
        metrics=node.metrics,
        worker_id=node.node_id,
        concurrency=max(1, node.settings.pool_max // 2),
        reclaim_idle_ms=node.settings.reclaim_idle_ms,
    )
    return BackgroundWork(worker, TokenSweeper(storage.units, node.clock))

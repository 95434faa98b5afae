"""The worker, which runs the consumers of Facts, and what else a process does in the background."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass

from realtime.redis.stream_writer import StreamWriter
from server.accounts.token_sweeper import TokenSweeper
from server.composition.context import NodeContext
from server.composition.storage import Storage
from server.pipeline.reactions import Reactions
from server.worker.account_eraser import AccountEraser
from server.worker.end_sweeper import EndSweeper
from server.worker.fact_stream import stream_copy
from server.worker.filter_sweeper import FilterSweeper
from server.worker.tombstone_sweeper import TombstoneSweeper
from server.worker.wake_up import WakeUp
from server.worker.worker import Worker

FACTS_STREAM_MAX_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class BackgroundWork:
    worker: Worker
    token_sweeper: TokenSweeper
    tombstone_sweeper: TombstoneSweeper
    account_eraser: AccountEraser
    filter_sweeper: FilterSweeper
    end_sweeper: EndSweeper


def build_background_work(
    node: NodeContext, storage: Storage, wake_up: WakeUp, reactions: Reactions, stack: AsyncExitStack
) -> BackgroundWork:
    settings, consumers = node.settings, node.registry.consumers
    if settings.facts_stream:
        writer = StreamWriter(storage.redis, settings.facts_stream, max_entries=FACTS_STREAM_MAX_ENTRIES)
        stack.push_async_callback(writer.stop)
        consumers = (*consumers, stream_copy(writer, tuple(node.registry.facts.values())))
    worker = Worker(
        consumers=consumers,
        reactions=reactions,
        units=storage.units,
        wake_up=wake_up,
        metrics=node.metrics,
        worker_id=node.node_id,
        lease_s=settings.fact_lease_s,
        keep_days=settings.facts_keep_days,
    )
    return BackgroundWork(
        worker,
        TokenSweeper(storage.units, node.clock),
        TombstoneSweeper(storage.units, node.clock, node.metrics),
        AccountEraser(storage.units, node.clock, node.metrics),
        FilterSweeper(storage.units),
        EndSweeper(storage.units, wake_up.facts_committed),
    )

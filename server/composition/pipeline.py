"""The pipeline that runs commands and consumers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from realtime.bodies.body_cache import BodyCache
from realtime.feeds.packed_lists import PackedLists
from realtime.limits.deferred_limiter import DeferredLimiter
from realtime.limits.fallback_limiter import FallbackLimiter
from realtime.limits.limiter import Limiter
from realtime.limits.memory_limiter import MemoryLimiter
from realtime.limits.redis_limiter import RedisLimiter
from server.composition.accounts import Accounts
from server.composition.context import NodeContext
from server.composition.messaging import Messaging
from server.composition.storage import Storage
from server.monitoring.body_cache_metrics import BodyCacheMetrics
from server.pipeline.command_table import CommandTable
from server.pipeline.dispatch import Dispatcher
from server.pipeline.operator import OperatorRunner
from server.pipeline.publisher import Publisher
from server.pipeline.reactions import Reactions
from server.pipeline.services import make_services
from server.pipeline.unit_runner import UnitRunner


@dataclass(frozen=True, slots=True)
class Pipeline:
    limiter: Limiter
    dispatcher: Dispatcher
    reactions: Reactions
    operator: OperatorRunner


def build_pipeline(
    node: NodeContext,
    storage: Storage,
    accounts: Accounts,
    messaging: Messaging,
    stack: AsyncExitStack,
    *,
    wake_consumers: Callable[[], None],
) -> Pipeline:
    settings, metrics = node.settings, node.metrics
    shared_limiter = RedisLimiter(storage.redis)
    stack.push_async_callback(shared_limiter.stop)
    limiter = FallbackLimiter(
        shared_limiter, MemoryLimiter(), on_fallback=partial(metrics.count, "limits_counted_by_this_node_alone")
    )
    deferred_limiter = DeferredLimiter(
        shared_limiter, on_alone=partial(metrics.count, "limits_counted_by_this_node_alone")
    )
    stack.push_async_callback(deferred_limiter.stop)
    feeds = PackedLists(
        storage.redis,
        prefix="feed",
        max_length=settings.feed_list_max,
        idle_ttl_s=settings.feed_days_limit * 86_400,
    )
    stack.push_async_callback(feeds.stop)
    bodies = BodyCache(settings.body_cache_max_bytes)
    metrics.add(BodyCacheMetrics(bodies))
    services = make_services(
        settings,
        clock=node.clock,
        tokens=accounts.tokens,
        passwords=accounts.passwords,
        feeds=feeds,
        topic_registry=messaging.topic_registry,
        presence=messaging.presence,
        limiter=limiter,
        metrics=metrics,
        cursor_seal=accounts.sealed_cursors,
        bodies=bodies,
    )
    publisher = Publisher(messaging.fanout, wake_consumers)
    dispatcher = Dispatcher(
        commands=CommandTable(node.registry, metrics.commands, rate_limit_factor=settings.rate_limit_factor),
        unit_runner=UnitRunner(storage.units, services),
        limiter=limiter,
        deferred_limiter=deferred_limiter,
        authenticator=accounts.authenticator,
        publisher=publisher,
    )
    reactions = Reactions(storage.units, services, publisher, timeout_s=settings.reaction_timeout_s)
    operator = OperatorRunner(storage.units, services, publisher)
    return Pipeline(limiter, dispatcher, reactions, operator)

"""Fills in what operations need from outside SQL."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.ports import Clock, FeedStore, PasswordHasher, Policy, PresenceReader, Services, TokenIssuer
from realtime.limits.limiter import Limiter
from realtime.pubsub.topic_registry import TopicRegistry
from server.config import Settings
from server.monitoring.metrics import Metrics
from server.version import VERSION


class TopicSubscribers:
    """Who listens to a topic, over all nodes, as the registry of topic_registry knows it."""

    def __init__(self, topic_registry: TopicRegistry) -> None:
        self._topic_registry = topic_registry

    async def listening(self, topic: str) -> Sequence[int]:
        by_node = await self._topic_registry.all_on_nodes(topic)
        return sorted(set().union(*by_node.values()))


def make_services(
    settings: Settings,
    *,
    clock: Clock,
    tokens: TokenIssuer,
    passwords: PasswordHasher,
    feeds: FeedStore,
    topic_registry: TopicRegistry,
    presence: PresenceReader,
    limiter: Limiter,
    metrics: Metrics,
) -> Services:
    return Services(
        clock=clock,
        tokens=tokens,
        passwords=passwords,
        feeds=feeds,
        attendance=TopicSubscribers(topic_registry),
        presence=presence,
        limiter=limiter,
        meter=metrics,
        policy=Policy(
            refresh_token_ttl_s=settings.refresh_token_ttl_s,
            refresh_grace_s=settings.refresh_grace_s,
            feed_page_default=settings.feed_limit_default,
            feed_list_max=settings.feed_list_max,
            feed_fanout_max_followers=settings.feed_fanout_max_followers,
            rate_limit_factor=settings.rate_limit_factor,
            version=VERSION,
        ),
    )

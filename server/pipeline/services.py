"""The Services that operations use beside SQL."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.ports import Clock, CursorSeal, FeedStore, PasswordHasher, Policy, PresenceReader, Services, TokenIssuer
from realtime.bodies.body_cache import BodyCache
from realtime.limits.limiter import Limiter
from realtime.pubsub.topic_registry import TopicRegistry
from server.config import Settings
from server.monitoring.metrics import Metrics
from server.version import VERSION


class TopicSubscribers:
    """The subscribers of a topic on all nodes, from the topic registry."""

    def __init__(self, topic_registry: TopicRegistry) -> None:
        self._topic_registry = topic_registry

    async def listening(self, topic: str) -> Sequence[int]:
        by_node = await self._topic_registry.all_subscribers_by_node(topic)
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
    cursor_seal: CursorSeal,
    bodies: BodyCache,
) -> Services:
    return Services(
        clock=clock,
        tokens=tokens,
        passwords=passwords,
        feeds=feeds,
        subscribers=TopicSubscribers(topic_registry),
        presence=presence,
        limiter=limiter,
        meter=metrics,
        cursor_seal=cursor_seal,
        bodies=bodies,
        policy=Policy(
            refresh_token_ttl_s=settings.refresh_token_ttl_s,
            refresh_grace_s=settings.refresh_grace_s,
            feed_page_default=settings.feed_limit_default,
            feed_list_max=settings.feed_list_max,
            feed_fanout_max_followers=settings.feed_fanout_max_followers,
            rate_limit_factor=settings.rate_limit_factor,
            registrations_per_hour=settings.registrations_per_hour,
            version=VERSION,
        ),
    )

"""Fills in what operations need from outside SQL."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.context import Clock, FeedStore, Limiter, PasswordHasher, Policy, Presence, Services, TokenIssuer
from realtime.listeners import Listeners
from server.config import Settings
from server.metrics import Metrics
from server.version import VERSION


class ListenerAttendance:
    """Who listens to a topic, over all nodes, as the registry of listeners knows it."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners

    async def listening(self, topic: str) -> Sequence[int]:
        by_node = await self._listeners.all_on_nodes(topic)
        return sorted(set().union(*by_node.values()))


def make_services(
    settings: Settings,
    *,
    clock: Clock,
    tokens: TokenIssuer,
    passwords: PasswordHasher,
    feeds: FeedStore,
    listeners: Listeners,
    presence: Presence,
    limiter: Limiter,
    metrics: Metrics,
) -> Services:
    return Services(
        clock=clock,
        tokens=tokens,
        passwords=passwords,
        feeds=feeds,
        attendance=ListenerAttendance(listeners),
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

"""The home feed feature."""

from __future__ import annotations

from handlers.collections import BoundCollection
from handlers.feature import Feature, bind_command, bind_plain_command, bind_prepared_command
from handlers.feed.changes import read_feed, sync
from handlers.feed.consumers import FEED_CHANGES, FEED_FANOUT, FEED_FOLLOW, FEED_MUTES
from handlers.feed.contract import (
    FEED,
    FEED_NEW,
    FEED_PAGE,
    FEED_REMOVED,
    FEED_SUBSCRIBE,
    FEED_SYNC,
    FEED_UNSUBSCRIBE,
    NAMESPACE,
    TOPIC,
)
from handlers.feed.operations import (
    load_home_list,
    read_page,
    start_subscription,
    subscribe,
    unsubscribe,
)

FEATURE = Feature(
    name="feed",
    commands=(
        bind_prepared_command(FEED_SUBSCRIBE, start_subscription, subscribe),
        bind_plain_command(FEED_UNSUBSCRIBE, unsubscribe),
        bind_prepared_command(FEED_PAGE, load_home_list, read_page),
        bind_command(FEED_SYNC, sync),
    ),
    pushes=(FEED_NEW, FEED_REMOVED),
    consumers=(FEED_FANOUT, FEED_CHANGES, FEED_MUTES, FEED_FOLLOW),
    collections=(BoundCollection(FEED, lambda peek: peek.feed, read_feed),),
    polled_topics={NAMESPACE: (TOPIC,)},
)

"""The home feed as a value."""

from __future__ import annotations

from handlers.feature import Feature, bind_command, bind_prepared, bind_without_sql
from handlers.feed.consumers import FEED_FANOUT, FEED_FOLLOW
from handlers.feed.contract import (
    FEED_NEW,
    FEED_PAGE,
    FEED_SUBSCRIBE,
    FEED_SYNC,
    FEED_UNSUBSCRIBE,
    NAMESPACE,
    TOPIC,
)
from handlers.feed.operations import (
    find_home,
    read_page,
    start_listening,
    subscribe,
    sync,
    unsubscribe,
)

FEATURE = Feature(
    name="feed",
    commands=(
        bind_prepared(FEED_SUBSCRIBE, start_listening, subscribe),
        bind_without_sql(FEED_UNSUBSCRIBE, unsubscribe),
        bind_prepared(FEED_PAGE, find_home, read_page),
        bind_command(FEED_SYNC, sync),
    ),
    pushes=(FEED_NEW,),
    consumers=(FEED_FANOUT, FEED_FOLLOW),
    polled_topics={NAMESPACE: (TOPIC,)},
)

"""All features of Rookery, in one list. A feature that is not listed here does not exist on any transport."""

from __future__ import annotations

from handlers.accounts.feature import DELETION
from handlers.accounts.feature import FEATURE as ACCOUNTS
from handlers.bookmarks.feature import FEATURE as BOOKMARKS
from handlers.chat.feature import FEATURE as CHAT
from handlers.comments.feature import FEATURE as COMMENTS
from handlers.feature import Feature
from handlers.feed.feature import FEATURE as FEED
from handlers.filters.feature import FEATURE as FILTERS
from handlers.mutes.feature import FEATURE as MUTES
from handlers.people.feature import FEATURE as PEOPLE
from handlers.polls.feature import FEATURE as POLLS
from handlers.posts.feature import FEATURE as POSTS
from handlers.presence.feature import FEATURE as PRESENCE
from handlers.shares.feature import FEATURE as SHARES
from handlers.sync.feature import sync_feature
from realtime.contract.connection_pushes import RESYNC, SERVER_DRAINING

CONNECTIONS = Feature(name="connections", commands=(), pushes=(RESYNC, SERVER_DRAINING))
"""Pushes that the server itself sends on a connection; no operation returns them."""

_PRODUCT = (
    ACCOUNTS,
    PEOPLE,
    DELETION,
    MUTES,
    POSTS,
    POLLS,
    SHARES,
    BOOKMARKS,
    COMMENTS,
    FEED,
    FILTERS,
    CHAT,
    PRESENCE,
)

FEATURES: tuple[Feature, ...] = (CONNECTIONS, *_PRODUCT, sync_feature(_PRODUCT))

"""All features of Rookery, in one list. What is not listed here does not exist on any transport."""

from __future__ import annotations

from handlers.accounts.feature import FEATURE as ACCOUNTS
from handlers.chat.feature import FEATURE as CHAT
from handlers.comments.feature import FEATURE as COMMENTS
from handlers.feature import Feature
from handlers.feed.feature import FEATURE as FEED
from handlers.people.feature import FEATURE as PEOPLE
from handlers.posts.feature import FEATURE as POSTS
from handlers.presence.feature import FEATURE as PRESENCE

FEATURES: tuple[Feature, ...] = (
    ACCOUNTS,
    PEOPLE,
    POSTS,
    COMMENTS,
    FEED,
    CHAT,
    PRESENCE,
)

"""Commands and pushes of the home feed.

Subscribe, then apply `feed:new` and `post:updated` by the post's id and version, and take out what `feed:removed` and
`post:deleted` name. After a lost connection or a `resync`, subscribe again: its page is
complete as of now. `feed:sync` reads the posts between that page and what the client had.
"""

from __future__ import annotations

from handlers.feed.position import Position
from handlers.posts.contract import subjects_of_post
from handlers.posts.models import Post
from handlers.subjects import followed_subject
from realtime.contract.declarations import Command, Push, Repeat, Route, Unit
from realtime.contract.errors import FORBIDDEN
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Empty, Id, Model, Nothing, Page, PageLimit, PageOffset, Payload, WireId

NAMESPACE = "/feed"
TOPIC = "feed"
"""Its subscribers get the pushes of the feed; also the scope of the `resync` after lost ones."""

SYNC_ITEMS_MAX = 200
REMOVED_POSTS_MAX = 500
"""Of one author; more than that no client shows of one."""
SYNC_WINDOW_DAYS = 7
"""For an older position, the answer has the newest posts and `truncated`."""

_READS = RateLimit(600, 60)
_SUBSCRIPTIONS = RateLimit(120, 60)
EXAMPLE_ID = "185604284416000001"
EXAMPLE_POSITION = "1kq0x3c7y"


class SubscribeFeed(Payload):
    limit: PageLimit | None = None


class ReadFeed(Payload):
    before: Id | None = None
    offset: PageOffset | None = None
    limit: PageLimit | None = None


class SyncFeed(Payload):
    after: Position


class FeedSnapshot(Page[Post]):
    """The newest page as of `position`."""

    position: str


class MissedPosts(Model):
    """Posts created since a position, newest first; the client may have some of them already.

    `truncated`: there are more between the last of these and what the client had; `feed:page` before the last one reads
    them.
    """

    items: list[Post]
    position: str
    truncated: bool


class RemovedPosts(Model):
    post_ids: list[WireId]


class NewPost(Model):
    """A post of a user whom the receiver follows: a new one, or one that was private until now.

    `position` is the client's position once it has applied the post, unless it has a later one.
    """

    post: Post
    position: str


FEED_SUBSCRIBE = Command(
    name="feed:subscribe",
    namespace=NAMESPACE,
    payload=SubscribeFeed,
    ack=FeedSnapshot,
    effect="Subscribes this socket to the pushes of the home feed, and answers its newest page.",
    repeat=Repeat.READ,
    rate=_SUBSCRIPTIONS,
    example={"limit": 20},
    errors=(FORBIDDEN,),
)

FEED_UNSUBSCRIBE = Command(
    name="feed:unsubscribe",
    namespace=NAMESPACE,
    payload=Empty,
    ack=Nothing,
    effect="Unsubscribes this socket from the pushes of the home feed.",
    repeat=Repeat.READ,
    works_on=Unit.NONE,
    rate=_SUBSCRIPTIONS,
    errors=(FORBIDDEN,),
)

FEED_PAGE = Command(
    name="feed:page",
    namespace=NAMESPACE,
    payload=ReadFeed,
    ack=Page[Post],
    effect="Reads a page of the home feed, newest first: posts of the users whom the caller follows.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"before": EXAMPLE_ID, "limit": 20},
    routes=(Route("GET", "/feed"),),
)

FEED_SYNC = Command(
    name="feed:sync",
    namespace=NAMESPACE,
    payload=SyncFeed,
    ack=MissedPosts,
    effect="Reads the posts added to the home feed since a position; it overlaps, so apply by id.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"after": EXAMPLE_POSITION},
    routes=(Route("GET", "/feed/sync"),),
)

FEED_NEW = Push(
    name="feed:new",
    namespace=NAMESPACE,
    model=NewPost,
    subjects_of=lambda new: (*subjects_of_post(new.post), followed_subject(new.post.author.id)),
    audience="Sockets subscribed to the feed, of users who follow the author and may see the post.",
)

FEED_REMOVED = Push(
    name="feed:removed",
    namespace=NAMESPACE,
    model=RemovedPosts,
    audience=(
        "Sockets subscribed to the feed, of a user who does not follow the author of these posts any more, or of the "
        "author's followers, where these posts are private now."
    ),
)

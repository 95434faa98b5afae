"""Commands and pushes of the home feed.

Subscribe, then apply `feed:new` and `post:updated` by the post's id and version, and take out what `feed:removed` and
`post:deleted` name. After a lost connection or a `resync`, subscribe again and call `feed:sync` with the position of
the last answer: it tells what happened meanwhile to the posts that the client has, and which ones came. Of posts older
than all that it has, a client takes no notice.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from handlers.cursor import CURSOR_CHARS
from handlers.posts.contract import subjects_of_post
from handlers.posts.models import Post, PostPage
from handlers.subjects import feed_subject, followed_subject
from realtime.contract.collections import Collection
from realtime.contract.declarations import Command, Push, Repeat, Route, Unit
from realtime.contract.errors import FORBIDDEN
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Empty, Id, Model, Nothing, PageLimit, PageOffset, Payload, WireId

NAMESPACE = "/feed"
TOPIC = "feed"
"""Its subscribers get the pushes of the feed; also the scope of the `resync` after lost ones."""

CHANGED_POSTS_MAX = 200
"""More changes than these cost more to tell than a new read."""
CHANGED_BYTES_MAX = 256 * 1_024
"""The same of their JSON, and the most of a first screen of `sync:pull`: with what it tells of other Collections that
stays near what may be unsent to a client.
"""
REMOVED_POSTS_MAX = 500
"""Of one author; more than that no client shows of one."""

_READS = RateLimit(600, 60)
_SUBSCRIPTIONS = RateLimit(120, 60)
EXAMPLE_ID = "185604284416000001"
EXAMPLE_POSITION = "a.WzEsMV0.c2lnbmF0dXJl"


class SubscribeFeed(Payload):
    limit: PageLimit | None = None


class ReadFeed(Payload):
    before: Id | None = None
    offset: PageOffset | None = None
    limit: PageLimit | None = None


class SyncFeed(Payload):
    after: Annotated[str, Field(min_length=1, max_length=CURSOR_CHARS)]


class FeedSnapshot(PostPage):
    """The newest page. What it may lack comes by `feed:new`, or by `feed:sync` with its `position`."""

    position: str


class ChangedPosts(Model):
    """What happened to the feed since a position.

    `items` are new or changed, newest first, each as it is now; `removed` are deleted, or not the caller's to see any
    more. `reset`: read the feed anew. Some may come twice, so apply by id and version.
    """

    items: list[Post]
    removed: list[WireId]
    position: str
    reset: bool | None = None


class RemovedPosts(Model):
    post_ids: list[WireId]


class NewPost(Model):
    """A post of a user whom the receiver follows: a new one, or one that was private until now."""

    post: Post


FEED = Collection(
    name="feed",
    item=Post,
    id_of=lambda post: str(post.id),
    holds=(
        "The newest posts of the users whom the user follows, down to the oldest one that the client has read; of a "
        "post that is older than that it takes no notice. It is reset when the user follows, unfollows, blocks, "
        "unblocks, mutes or unmutes somebody, a mute ends, or they are blocked. Likes and other counts are as of the "
        "last read."
    ),
    read_anew="`sync:pull` of this Collection without a cursor; older posts by `feed:page`.",
)

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
    ack=PostPage,
    effect="Reads a page of the home feed, newest first: posts of the users whom the caller follows and does not mute.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"before": EXAMPLE_ID, "limit": 20},
    routes=(Route("GET", "/feed"),),
)

FEED_SYNC = Command(
    name="feed:sync",
    namespace=NAMESPACE,
    payload=SyncFeed,
    ack=ChangedPosts,
    effect="Reads what happened to the posts of the home feed since a position, deletions too.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"after": EXAMPLE_POSITION},
    routes=(Route("GET", "/feed/sync"),),
)

FEED_NEW = Push(
    name="feed:new",
    namespace=NAMESPACE,
    model=NewPost,
    subjects_of=lambda new: (
        *subjects_of_post(new.post),
        followed_subject(new.post.author.id),
        feed_subject(new.post.author.id),
    ),
    audience="Sockets subscribed to the feed, of users who follow the author, do not mute them and may see the post.",
)

FEED_REMOVED = Push(
    name="feed:removed",
    namespace=NAMESPACE,
    model=RemovedPosts,
    audience=(
        "Sockets subscribed to the feed, of a user who does not follow the author of these posts any more or mutes "
        "them, or of the author's followers, where these posts are private now or the author is hidden."
    ),
)

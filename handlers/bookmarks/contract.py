"""Commands and the Collection of bookmarks."""

from __future__ import annotations

from typing import Literal

from handlers.posts.contract import EXAMPLE_ID, NAMESPACE, NamedPost
from handlers.posts.models import Post
from realtime.contract.collections import Collection
from realtime.contract.declarations import Command, Repeat, Route, Unit
from realtime.contract.errors import NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Id, Model, Page, PageLimit, Payload, WireId

_READS = RateLimit(600, 60)
_WRITES = RateLimit(120, 60)

CHANGED_BOOKMARKS_MAX = 200
"""More changes than these cost more to tell than a new read."""
CHANGED_BYTES_MAX = 256 * 1_024
"""The same of their JSON, and the most of a first screen of `sync:pull`."""


class ListBookmarks(Payload):
    before: Id | None = None
    limit: PageLimit | None = None


class Bookmark(Model):
    """A bookmarked post. `id` is that of the bookmark: of two bookmarks the newer one has the larger id."""

    id: WireId
    post: Post


class BookmarkAdded(Model):
    post_id: WireId
    bookmarked: Literal[True] = True


class BookmarkRemoved(Model):
    post_id: WireId
    bookmarked: Literal[False] = False


BOOKMARKS = Collection(
    name="bookmarks",
    item=Bookmark,
    id_of=lambda bookmark: str(bookmark.post.id),
    holds=(
        "The newest bookmarks of the user, by the ids of the posts, down to the oldest one that the client has read; "
        "of a bookmark that is older than that it takes no notice. A post that is deleted, or not the user's to see "
        "any more, is removed. It is reset when the user follows, unfollows, blocks or unblocks somebody or is "
        "blocked. Likes and other counts are as of the last read."
    ),
    read_anew="`sync:pull` of this Collection without a cursor; older ones by `bookmark:list`.",
    told_to_devices=True,
)

BOOKMARK_ADD = Command(
    name="bookmark:add",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=BookmarkAdded,
    effect="Bookmarks a post, as the newest bookmark; one that there is stays where it is. Nobody else learns of it.",
    repeat=Repeat.SETS_STATE,
    rate=_WRITES,
    example={"post_id": EXAMPLE_ID},
    works_on=Unit.STATEMENTS,
    errors=(NOT_FOUND,),
    routes=(Route("POST", "/posts/{post_id}/bookmark"),),
)

BOOKMARK_REMOVE = Command(
    name="bookmark:remove",
    namespace=NAMESPACE,
    payload=NamedPost,
    ack=BookmarkRemoved,
    effect="Removes a bookmark, whatever became of the post; the answer is the same where there was none.",
    repeat=Repeat.SETS_STATE,
    rate=_WRITES,
    example={"post_id": EXAMPLE_ID},
    works_on=Unit.STATEMENTS,
    routes=(Route("DELETE", "/posts/{post_id}/bookmark"),),
)

BOOKMARK_LIST = Command(
    name="bookmark:list",
    namespace=NAMESPACE,
    payload=ListBookmarks,
    ack=Page[Bookmark],
    effect="Lists the caller's bookmarks, the newest first; without posts that the caller may not see now.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"limit": 20},
    routes=(Route("GET", "/bookmarks"),),
)

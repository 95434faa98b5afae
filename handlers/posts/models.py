"""The wire model of posts."""

from __future__ import annotations

from typing import Final, Literal

from handlers.people.models import Card
from handlers.polls.models import Poll
from realtime.contract.wire import Model, Page, WireId

Kind = Literal["text", "image", "video", "link", "poll", "share"]
Visibility = Literal["public", "followers", "private"]
"""Who sees a post beside its author: everybody, the author's followers, nobody."""
PRIVATE: Final = "private"
HiddenBy = Literal["author", "moderator"]
Replies = Literal["everyone", "followers", "mentioned", "nobody"]
"""Who of a post's readers may comment on it, beside its author: all, the author's followers, the mentioned, none."""


class PostViewer(Model):
    """What the reader has done with this post, and may do. `voted`: the chosen options of its poll, by place."""

    liked: bool
    bookmarked: bool
    may_comment: bool
    voted: list[int] | None = None


class Post(Model):
    """A post. `viewer` is in answers only, never in a push.

    `version` grows with each edit: of two copies the one with the larger version is newer.
    `hidden_by` is there while nobody but the author sees the post; `visibility` is what the author chose even so.
    A `sensitive` post is shown after a warning.
    `tags`, `mentions` and `links` are those of the text, once each in its order: a tag as it is written first, without
    its sign; people whom the author might see when it was written; links as they are written, perhaps without `https://`.
    `shared` is the post that a share shows, never a share itself; absent where it is gone, or not the reader's to see.
    `media` is empty until posts can have them; `edited_at_ms` is absent until the first edit.
    The counts are the same for every reader, also where a block hides some of the likes and comments.
    """

    id: WireId
    version: int
    author: Card
    kind: Kind
    text: str
    media: tuple[()] = ()
    link: str | None = None
    visibility: Visibility
    hidden_by: HiddenBy | None = None
    replies: Replies
    sensitive: bool
    tags: list[str]
    mentions: list[Card]
    links: list[str]
    created_at_ms: int
    edited_at_ms: int | None = None
    # From here on: what is not in the body of a post, see bodies.py.
    like_count: int
    comment_count: int
    share_count: int
    shared: Post | None = None
    poll: Poll | None = None
    viewer: PostViewer | None = None


class PostVersion(Model):
    """A text that a post had before an edit; `version` is the one of the post at its end."""

    version: int
    text: str
    written_at_ms: int


PostPage = Page[Post]

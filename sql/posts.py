"""Posts and their likes."""

import datetime
from typing import Any, NamedTuple, Protocol

from sql.execution.joining import joined, joined_write
from sql.ids import LikeId, PostId, UserId
from sql.people import CardRow, RelationRow, UserRow
from sql.polls import PollRow


class PostRow(NamedTuple):
    """A post as one viewer gets it; `viewer` is the viewer's relation to its author."""

    id: PostId
    version: int
    kind: str
    text: str
    link: str | None
    entities: dict[str, Any]
    visibility: str
    """Who sees it now: nobody else while it is hidden."""
    hidden_by: str | None
    visibility_if_shown: str | None
    """What the author chose, where it is hidden."""
    replies: str
    sensitive: bool
    poll: PollRow | None
    shared_id: PostId | None
    """The post that a share shows; it may be gone, or not the viewer's to see."""
    like_count: int
    comment_count: int
    share_count: int
    client_id: str | None
    created_at: datetime.datetime
    edited_at: datetime.datetime | None
    changed: int
    """The stamp of the last change of what stands in this row, but for the counters."""
    author: CardRow
    author_changed: int
    """The same of the author."""
    viewer: RelationRow
    viewer_liked: bool
    viewer_bookmarked: bool
    viewer_may_comment: bool

    @property
    def is_poll(self) -> bool:
        return self.poll is not None


class PostStateRow(NamedTuple):
    """Which state a post is in, and what is not part of that: its counters, and what one viewer has done with it.

    Posts with equal `id`, `changed` and `author_changed` have the same text, author and times.
    """

    id: PostId
    changed: int
    author_changed: int
    is_poll: bool
    shared_id: PostId | None
    like_count: int
    comment_count: int
    share_count: int
    viewer_liked: bool
    viewer_bookmarked: bool
    viewer_may_comment: bool


class UpdatedPostRow(NamedTuple):
    version: int
    changed: bool
    """False when the post had these values before."""
    earlier_visibility: str


class HiddenPostRow(NamedTuple):
    changed: bool
    """False when it was hidden, or was not, before."""
    earlier_visibility: str
    is_refused: bool
    """A moderator has hidden it: the author cannot show it again."""


class DeletedPostRow(NamedTuple):
    visibility: str | None
    """Who saw the post until now; None: it was deleted before."""


class PostVersionRow(NamedTuple):
    """A text that an edit has replaced."""

    version: int
    text: str
    written_at: datetime.datetime


class LikeRow(NamedTuple):
    changed: bool
    """False when nothing had to change."""
    like_count: int


class LikerRow(NamedTuple):
    like_id: LikeId
    user: UserRow
    viewer: RelationRow


class ChangedShareRow(NamedTuple):
    id: PostId
    author_id: UserId
    visibility: str


class PostQueries(Protocol):
    @joined_write("author_id", several=True)
    async def insert_post(
        self,
        *,
        author_id: UserId,
        kind: str,
        text: str,
        link: str | None,
        entity_set: dict[str, Any],
        visibility: str,
        replies_from: str,
        sensitive: bool,
        poll: dict[str, Any] | None,
        client_id: str | None,
    ) -> PostRow | None:
        """The post as its author gets it; its Fact is stored with it.

        A `poll` has `options`, `multiple` and `closes_in_s`.
        None: the author has a post with this client_id (see find_post), or there is no such author.
        """
        ...

    async def find_post(self, *, author_id: UserId, client_id: str) -> PostId | None: ...

    @joined
    async def read_post(self, *, viewer_id: UserId, post_id: PostId) -> PostRow | None:
        """None where it does not exist or is deleted. It does not check whether the viewer may see it."""
        ...

    @joined
    async def read_posts(self, *, viewer_id: UserId, post_ids: list[PostId]) -> list[PostRow]:
        """Those that exist and are not deleted, in no order. It does not check whether the viewer may see them."""
        ...

    @joined
    async def list_posts(
        self,
        *,
        viewer_id: UserId,
        author_id: UserId,
        before: PostId,
        skip: int,
        page_size: int,
    ) -> list[PostStateRow]: ...

    async def update_post(
        self,
        *,
        post_id: PostId,
        author_id: UserId,
        text: str | None,
        entities: dict[str, Any] | None,
        visibility: str | None,
        replies: str | None,
        sensitive: bool | None,
    ) -> UpdatedPostRow | None:
        """A None argument leaves a field as it is. Returns None when the post is another author's, or deleted.

        First `people.lock_users` of the author, in a statement of its own; for `delete_post` too.
        """
        ...

    async def hide_post(self, *, post_id: PostId, author_id: UserId, hidden: bool) -> HiddenPostRow | None:
        """None: the post is another author's, or deleted."""
        ...

    async def delete_post(self, *, post_id: PostId, author_id: UserId) -> DeletedPostRow | None:
        """None: the post is another author's."""
        ...

    @joined
    async def list_versions(self, *, post_id: PostId, before: int, page_size: int) -> list[PostVersionRow]:
        """`before` is a `version`."""
        ...

    async def delete_old_posts(self, *, deleted_before: datetime.datetime, row_limit: int) -> int:
        """The number of removed rows, of all tables; to be called until it is 0."""
        ...

    async def lock_post(self, *, post_id: PostId) -> PostId | None: ...

    @joined_write("post_id", "user_id")
    async def set_like(self, *, post_id: PostId, user_id: UserId, wanted: bool) -> LikeRow | None:
        """None: there is no such post, or it is deleted and a like of it `wanted`. Access is not checked."""
        ...

    @joined
    async def list_likers(
        self, *, viewer_id: UserId, post_id: PostId, before: LikeId, page_size: int
    ) -> list[LikerRow]:
        """`before` is a `like_id`."""
        ...


class ShareQueries(Protocol):
    """Shares: posts that show another post.

    To make or delete a share: first `people.lock_users` of its author, then lock the shared post.
    """

    async def lock_with_shared(self, *, post_id: PostId) -> list[PostId]: ...

    async def insert_share(
        self, *, author_id: UserId, shared_id: PostId, text: str, entities: dict[str, Any], client_id: str | None
    ) -> PostId | None:
        """None: there was one, or the shared post is deleted or not public. Whether it is seen is not checked."""
        ...

    async def find_share(self, *, author_id: UserId, post_id: PostId) -> PostId | None: ...

    async def change_shares(self, *, shared_id: PostId) -> list[ChangedShareRow]:
        """The shares of a changed or deleted post; the Facts of their change are stored."""
        ...

    @joined
    async def visible_posts(self, *, viewer_id: UserId, post_ids: list[PostId]) -> list[PostStateRow]:
        """Those that the viewer may see, in no order."""
        ...

    async def readers_among(self, *, post_id: PostId, user_ids: list[UserId]) -> list[UserId]: ...

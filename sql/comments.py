"""Comments on posts, and replies to comments."""

import datetime
from typing import NamedTuple, Protocol

from sql.execution.joining import joined, joined_write
from sql.ids import CommentId, PostId, UserId
from sql.people import CardRow, RelationRow
from sql.posts import LikeRow


class CommentRow(NamedTuple):
    """A comment as one viewer gets it; `viewer` is the viewer's relation to its author."""

    id: CommentId
    version: int
    post_id: PostId
    parent_id: CommentId | None
    text: str
    """Empty where `is_deleted`."""
    like_count: int
    reply_count: int
    """Direct replies that are shown, including deleted ones with replies of their own."""
    client_id: str | None
    created_at: datetime.datetime
    edited_at: datetime.datetime | None
    is_deleted: bool
    """By its author or the post's, or `is_by_hidden`."""
    is_by_hidden: bool
    """The author is suspended, or their account is deleted."""
    author: CardRow
    """Also where `is_deleted`; it must not be shown then."""
    viewer: RelationRow
    viewer_liked: bool


class NewCommentRow(NamedTuple):
    """A comment as its author gets it."""

    comment: CommentRow
    hidden_from: list[UserId]
    """At most `id_limit` of those who see it neither in lists nor live, see CommentQueries.hidden_from."""
    filters_position: int
    """Filters stamped below it were known to this read."""


class LeftOutRow(NamedTuple):
    """Who is not told of a comment as it is now."""

    hidden_from: list[UserId]
    """At most `id_limit` of them."""
    filters_position: int
    """Filters stamped below it were known to this read."""


class UpdatedCommentRow(NamedTuple):
    version: int
    changed: bool
    """False when the comment had this text before."""


class DeletedCommentRow(NamedTuple):
    post_id: PostId
    comment_count: int
    is_tombstone: bool
    """Whether it is still shown, without text, because it has replies."""


class CommentQueries(Protocol):
    @joined_write("post_id", several=True)
    async def insert_comment(
        self,
        *,
        post_id: PostId,
        parent_id: CommentId | None,
        author_id: UserId,
        text: str,
        client_id: str | None,
        id_limit: int,
    ) -> NewCommentRow | None:
        """None: this author has a comment with this client_id (see find_comment), or post or parent are deleted."""
        ...

    async def find_comment(self, *, author_id: UserId, client_id: str) -> CommentId | None: ...

    @joined
    async def read_comment(self, *, viewer_id: UserId, comment_id: CommentId) -> CommentRow | None: ...

    @joined
    async def hidden_from(self, *, comment_id: CommentId, id_limit: int) -> list[UserId]: ...

    @joined
    async def left_out(self, *, comment_id: CommentId, id_limit: int) -> LeftOutRow | None: ...

    @joined
    async def list_comments(
        self, *, viewer_id: UserId, post_id: PostId, before: CommentId, page_size: int
    ) -> list[CommentRow]: ...

    @joined
    async def list_replies(
        self,
        *,
        viewer_id: UserId,
        post_id: PostId,
        parent_id: CommentId,
        before: CommentId,
        page_size: int,
    ) -> list[CommentRow]: ...

    async def update_comment(self, *, comment_id: CommentId, author_id: UserId, text: str) -> UpdatedCommentRow | None:
        """None: the comment is another author's, or deleted."""
        ...

    @joined_write("comment_id", "user_id")
    async def set_like(self, *, comment_id: CommentId, user_id: UserId, wanted: bool) -> LikeRow | None:
        """None: there is no such comment, or it is deleted and a like of it `wanted`. Access is not checked."""
        ...

    async def delete_comment(self, *, comment_id: CommentId) -> DeletedCommentRow | None:
        """None when it was deleted before. Call `posts.lock_post` first, in the same transaction."""
        ...

"""Posts that users have bookmarked."""

import datetime
from typing import NamedTuple, Protocol

from sql.execution.joining import joined
from sql.ids import BookmarkId, PostId, UserId
from sql.posts import PostStateRow


class BookmarkRow(NamedTuple):
    id: BookmarkId
    post: PostStateRow


class ChangedBookmarkRow(NamedTuple):
    is_reset: bool
    """The viewer may see other people's posts than before; this is the only row then."""
    post_id: PostId | None
    """None: it is a reset."""
    bookmark: BookmarkRow | None
    """None: the post is not bookmarked any more, deleted, or not the viewer's to see."""


class BookmarkQueries(Protocol):
    async def insert_bookmark(self, *, user_id: UserId, post_id: PostId) -> BookmarkId | None:
        """None: the post was bookmarked before, or is deleted. Access is not checked."""
        ...

    async def remove_bookmark(self, *, user_id: UserId, post_id: PostId) -> bool | None:
        """None: there was none."""
        ...

    @joined
    async def list_bookmarks(self, *, viewer_id: UserId, before: BookmarkId, page_size: int) -> list[BookmarkRow]: ...

    @joined
    async def changed_bookmarks(self, *, viewer_id: UserId, since: int, page_size: int) -> list[ChangedBookmarkRow]:
        """More rows than `page_size`, or as many, may not be all."""
        ...

    async def delete_old_bookmarks(self, *, removed_before: datetime.datetime, batch_size: int) -> int:
        """The number of deleted rows; there may be more when it equals the batch size."""
        ...

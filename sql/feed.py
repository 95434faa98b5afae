"""The home feed, the followers to whom a post is delivered, and the words that hide posts and comments."""

import datetime
from typing import NamedTuple, Protocol

from sql.execution.joining import joined
from sql.ids import FollowId, PostId, UserId
from sql.posts import PostStateRow


class AuthorRow(NamedTuple):
    follower_count: int
    is_broadcaster: bool
    is_hidden: bool
    """Suspended, or their account is deleted: nobody is told of their posts."""


class FollowerBatchRow(NamedTuple):
    follow_id: FollowId
    user_id: UserId
    mutes: bool
    """They mute the author."""


class ListPositionRow(NamedTuple):
    """Below which stamp all posts are in the lists, and the history of the database that it is of."""

    position: int
    history: int


class HomePostRow(NamedTuple):
    post: PostStateRow
    is_hidden: bool
    """By a filter of the viewer: it is not to be shown."""


class ChangedPostRow(NamedTuple):
    is_reset: bool
    """The viewer may see other people's posts than before; this is the only row then."""
    position: int
    history: int
    post_id: PostId | None
    """None, in the only row: nothing has changed."""
    post: PostStateRow | None
    """None: it is deleted, or not the viewer's to see."""


class FeedQueries(Protocol):
    @joined
    async def home_page(
        self,
        *,
        viewer_id: UserId,
        ids: list[PostId],
        version: int | None,
        floor: PostId,
        before: PostId,
        skip: int,
        page_size: int,
    ) -> list[HomePostRow]:
        """`ids` has every post above `floor` and below `before` by followed users who are not broadcasters, perhaps
        others, in any order; this was so when the viewer's list version was `version`.

        With another `version`, None too, the whole page is read from SQL.
        """
        ...

    @joined
    async def changed_posts(self, *, viewer_id: UserId, since: int, page_size: int) -> list[ChangedPostRow]: ...

    async def read_list_position(self, *, consumer: str, fact_names: list[str]) -> ListPositionRow: ...

    async def home_ids(self, *, viewer_id: UserId, id_limit: int) -> list[PostId]: ...

    async def newest_of_author(self, *, author_id: UserId, page_size: int) -> list[PostId]: ...

    async def read_list_version(self, *, viewer_id: UserId) -> int | None: ...

    async def read_author(self, *, author_id: UserId) -> AuthorRow | None: ...

    async def follower_batch(
        self,
        *,
        author_id: UserId,
        before_follow_id: FollowId,
        batch_size: int,
    ) -> list[FollowerBatchRow]:
        """Start with MAX_ID, continue with the last `follow_id`; fewer rows than `batch_size` are the last batch."""
        ...

    async def followers_among(self, *, author_id: UserId, user_ids: list[UserId]) -> list[UserId]: ...


class WordFilterRow(NamedTuple):
    phrase: str
    ends_at: datetime.datetime | None


class FilterChangeRow(NamedTuple):
    changed: int
    """Reads whose horizon lies above this stamp know of the change."""
    is_new: bool
    """False: it was so already."""


class FilteredReadersRow(NamedTuple):
    """Which of some users have filters, and whether one of these hides a post."""

    position: int
    """Everything stamped below it was known to this read."""
    hidden_from: list[UserId]
    shown_to: list[UserId]


class FilterQueries(Protocol):
    """To change a filter: first `people.lock_users` of its owner."""

    async def list_filters(self, *, user_id: UserId) -> list[WordFilterRow]: ...

    async def set_filter(
        self, *, user_id: UserId, phrase: str, ends_at: datetime.datetime | None, max_count: int
    ) -> FilterChangeRow | None:
        """None: the user has as many others as they may."""
        ...

    async def remove_filter(self, *, user_id: UserId, phrase: str) -> FilterChangeRow | None:
        """None: there was none."""
        ...

    async def filtered_readers(self, *, post_id: PostId, user_ids: list[UserId]) -> FilteredReadersRow: ...

    async def end_filters(self, *, batch_size: int) -> int:
        """Removes filters whose end has come, with a Fact for each owner; the number of owners."""
        ...

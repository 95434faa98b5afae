"""The home feed, and the followers to whom a post is delivered."""

from typing import NamedTuple, Protocol

from sql.ids import FollowId, PostId, UserId
from sql.posts import PostRow


class AuthorRow(NamedTuple):
    follower_count: int
    is_broadcaster: bool


class HomePostRow(NamedTuple):
    post: PostRow
    follow_version: int
    """The viewer's, as read_follow_version reads it."""


class FollowerBatchRow(NamedTuple):
    follow_id: FollowId
    user_id: UserId


class FeedQueries(Protocol):
    async def home_page(
        self,
        *,
        viewer_id: UserId,
        ids: list[PostId],
        floor: PostId,
        before: PostId,
        skip: int,
        page_size: int,
    ) -> list[HomePostRow]:
        """`ids` has every post above `floor` by followed users who are not broadcasters, perhaps others, in any order.

        This holds for ids that were read at the `follow_version` of the rows, and not for those of an earlier one.

        Without a list of ids the floor is MAX_ID: the whole page is read from SQL.
        """
        ...

    async def home_since(self, *, viewer_id: UserId, after: PostId, page_size: int) -> list[PostRow]: ...

    async def home_ids(self, *, viewer_id: UserId, id_limit: int) -> list[PostId]: ...

    async def newest_of_author(self, *, author_id: UserId, page_size: int) -> list[PostId]: ...

    async def read_follow_version(self, *, viewer_id: UserId) -> int | None: ...

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

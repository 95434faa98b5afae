"""Follows and blocks."""

from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from sql.ids import FollowId, UserId
from sql.joining import joined
from sql.people import RelationRow, UserRow


class FollowRow(NamedTuple):
    changed: bool
    """False when nothing had to change."""
    follower_count: int
    """Of the followed user."""
    is_broadcaster: bool
    """Whether the followed user ever had so many followers that posts are not added to each one's list."""


class FollowerRow(NamedTuple):
    follow_id: FollowId
    user: UserRow
    viewer: RelationRow


class RemovedFollowRow(NamedTuple):
    follower_id: UserId
    followed_id: UserId


class FollowsQuery(Protocol):
    """A query for a page of followers, or of followed users."""

    def __call__(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> Awaitable[list[FollowerRow]]:
        """`before` is a `follow_id`."""
        ...


class GraphQueries(Protocol):
    """To change a relation depending on what it is: first `people.lock_users` of both, then read it, then change it."""

    async def follow(self, *, follower_id: UserId, followed_id: UserId, broadcaster_from: int) -> FollowRow | None:
        """None when one of the two does not exist. It does not check blocks."""
        ...

    async def unfollow(self, *, follower_id: UserId, followed_id: UserId) -> FollowRow | None: ...

    async def insert_block(self, *, blocker_id: UserId, blocked_id: UserId) -> bool | None: ...

    async def delete_block(self, *, blocker_id: UserId, blocked_id: UserId) -> bool | None: ...

    async def remove_follows(self, *, user_id: UserId, other_id: UserId) -> list[RemovedFollowRow]: ...

    @joined
    async def list_followers(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> list[FollowerRow]:
        """`before` is a `follow_id`."""
        ...

    @joined
    async def list_following(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> list[FollowerRow]:
        """`before` is a `follow_id`."""
        ...

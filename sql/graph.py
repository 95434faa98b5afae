"""Who follows and who blocks whom."""

from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from sql.ids import FollowId, UserId
from sql.people import RelationRow, UserRow


class FollowRow(NamedTuple):
    changed: bool
    """False when it was so before."""
    follower_count: int
    """Of the followed person."""
    is_broadcaster: bool
    """Whether the followed person ever had so many followers that posts are not pushed to them one by one."""


class FollowerRow(NamedTuple):
    follow_id: FollowId
    user: UserRow
    viewer: RelationRow


class SeveredRow(NamedTuple):
    follower_id: UserId
    followed_id: UserId


class FollowsQuery(Protocol):
    """A page of one side of the follows of a person."""

    def __call__(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> Awaitable[list[FollowerRow]]:
        """`before` is a `follow_id`."""
        ...


class GraphQueries(Protocol):
    """To decide on a relation and then change it: first `people.lock_users` of both, then look, then act."""

    async def follow(self, *, follower_id: UserId, followed_id: UserId, broadcaster_from: int) -> FollowRow | None:
        """None when one of the two does not exist. Blocks are not looked at."""
        ...

    async def unfollow(self, *, follower_id: UserId, followed_id: UserId) -> FollowRow | None: ...

    async def insert_block(self, *, blocker_id: UserId, blocked_id: UserId) -> bool | None: ...

    async def delete_block(self, *, blocker_id: UserId, blocked_id: UserId) -> bool | None: ...

    async def sever(self, *, user_id: UserId, other_id: UserId) -> list[SeveredRow]: ...

    async def list_followers(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> list[FollowerRow]:
        """`before` is a `follow_id`."""
        ...

    async def list_following(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> list[FollowerRow]:
        """`before` is a `follow_id`."""
        ...

    async def blocked_among(self, *, user_id: UserId, user_ids: list[UserId]) -> list[UserId]: ...

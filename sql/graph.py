"""Follows, blocks, mutes, and what a user has decided about others."""

import datetime
from collections.abc import Awaitable
from typing import NamedTuple, Protocol

from sql.execution.joining import joined, joined_write
from sql.ids import FollowId, UserId
from sql.people import RelationRow, UserRow


class FollowRow(NamedTuple):
    changed: bool
    """False when nothing had to change, or may."""
    viewer: RelationRow
    """The follower's relation to the followed user, as it was before."""


class FollowerRow(NamedTuple):
    follow_id: FollowId
    user: UserRow
    viewer: RelationRow


class RemovedFollowRow(NamedTuple):
    follower_id: UserId
    followed_id: UserId


class RelatedRow(NamedTuple):
    """Another user, and what the viewer has decided about them; nothing: there is no relation any more."""

    user_id: UserId
    following: bool
    blocked: bool
    muted: bool
    muted_until: datetime.datetime | None
    """None: not muted, or without an end."""
    requested: bool


class RelationChangeRow(NamedTuple):
    is_reset: bool
    """The changes are too many; this is the only row then, without a relation."""
    changed: int | None
    relation: RelatedRow | None


class SetMuteRow(NamedTuple):
    changed: bool
    """False when there was this mute already, with this end."""


class FollowsQuery(Protocol):
    """A query for a page of followers, or of followed users."""

    def __call__(
        self, *, viewer_id: UserId, user_id: UserId, before: FollowId, page_size: int
    ) -> Awaitable[list[FollowerRow]]:
        """`before` is a `follow_id`."""
        ...


class GraphQueries(Protocol):
    """To change a relation depending on what it is: first `people.lock_users` of both, then read it, then change it."""

    @joined_write("follower_id", "followed_id")
    async def set_follow(
        self, *, follower_id: UserId, followed_id: UserId, wanted: bool, broadcaster_from: int
    ) -> FollowRow | None:
        """None when one of the two does not exist. Nobody comes to follow themselves, or across a block.

        Where something changed, its Fact is stored with it.
        """
        ...

    async def insert_block(self, *, blocker_id: UserId, blocked_id: UserId) -> bool | None: ...

    async def delete_block(self, *, blocker_id: UserId, blocked_id: UserId) -> bool | None: ...

    async def remove_follows(self, *, user_id: UserId, other_id: UserId) -> list[RemovedFollowRow]: ...

    @joined
    async def list_relations(self, *, viewer_id: UserId, after: UserId, page_size: int) -> list[RelatedRow]: ...

    @joined
    async def read_related(self, *, viewer_id: UserId, other_id: UserId) -> RelatedRow: ...

    @joined
    async def list_relation_changes(
        self, *, viewer_id: UserId, after_stamp: int, after_id: UserId, page_size: int
    ) -> list[RelationChangeRow]:
        """`after_stamp` and `after_id` are those of the last row of the page before."""
        ...

    async def delete_old_relation_changes(self, *, changed_before: datetime.datetime, batch_size: int) -> int:
        """The number of deleted rows; there may be more when it equals the batch size."""
        ...

    async def set_mute(
        self, *, muter_id: UserId, muted_id: UserId, muted_until: datetime.datetime | None
    ) -> SetMuteRow:
        """To set or remove a mute: first `people.lock_users` of the muter."""
        ...

    async def delete_mute(self, *, muter_id: UserId, muted_id: UserId) -> bool | None: ...

    async def end_mutes(self, *, batch_size: int) -> int:
        """The number of ended mutes, each with its Fact; there may be more when it equals the batch size."""
        ...

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

"""Users as others see them."""

import datetime
from typing import Any, NamedTuple, Protocol

from sql.execution.joining import joined
from sql.ids import UserId


class CardRow(NamedTuple):
    """A user inside of another object."""

    id: UserId
    username: str
    display_name: str | None
    version: int | None
    """Like the name None where the query is for one viewer, and this user blocks the viewer."""


class ViewedCardRow(NamedTuple):
    """A user inside of another object that stays when they are gone, as one viewer gets them."""

    id: UserId
    username: str
    display_name: str | None
    """This and the version are None where the user blocks the viewer, or is gone."""
    version: int | None
    is_gone: bool
    """Suspended, or their account is deleted."""


class UserRow(NamedTuple):
    """A user as one viewer gets them."""

    id: UserId
    version: int
    """Raised by every change of profile or settings."""
    username: str
    display_name: str
    bio: str
    follower_count: int
    following_count: int
    post_count: int
    """Of the posts that the viewer may see."""
    is_private: bool


class RelationRow(NamedTuple):
    """The viewer's relation to the user in the same row; towards oneself, all but `is_self` are false."""

    is_self: bool
    follows: bool
    followed_by: bool
    blocks: bool
    blocked_by: bool
    mutes: bool = False
    requested: bool = False
    """The viewer has asked to follow, and has no answer yet."""
    followers_only: bool = False
    """What the user publishes as public is for their followers: their account is private."""


class NamedPersonRow(NamedTuple):
    """A user who has one of the names that were asked for."""

    id: UserId
    username: str
    username_folded: str
    viewer: RelationRow


class PersonRow(NamedTuple):
    """A user's profile page."""

    user: UserRow
    viewer: RelationRow
    profile: dict[str, Any]


class OwnProfileRow(NamedTuple):
    """A user with the columns that only they may see."""

    user: UserRow
    email: str | None
    phone: str | None
    profile: dict[str, Any]
    settings: dict[str, Any]
    role: str
    created_at: datetime.datetime


class UpdatedProfileRow(NamedTuple):
    """A profile after an update; `is_changed` when a value is another one than before."""

    is_changed: bool
    own: OwnProfileRow


class LastSeenRow(NamedTuple):
    viewer_id: UserId
    user_id: UserId
    last_active_at: datetime.datetime


class PeopleQueries(Protocol):
    @joined
    async def read_person(self, *, viewer_id: UserId, user_id: UserId) -> PersonRow | None: ...

    @joined
    async def read_person_by_username(self, *, viewer_id: UserId, username_folded: str) -> PersonRow | None: ...

    @joined
    async def find_people(self, *, viewer_id: UserId, usernames: list[str]) -> list[NamedPersonRow]:
        """By folded usernames, in no order. It does not check whether the viewer may see them."""
        ...

    @joined
    async def read_own_profile(self, *, user_id: UserId) -> OwnProfileRow | None: ...

    async def update_profile(
        self,
        *,
        user_id: UserId,
        display_name: str | None,
        bio: str | None,
        profile: dict[str, Any] | None,
        settings: dict[str, Any] | None,
    ) -> UpdatedProfileRow | None:
        """None leaves a field as it is."""
        ...

    async def lock_users(self, *, user_ids: list[UserId]) -> list[UserId]:
        """The existing ones, in id order. Later statements see all earlier changes of their follows and blocks."""
        ...

    async def list_last_seen(self, *, viewer_ids: list[UserId], user_ids: list[UserId]) -> list[LastSeenRow]:
        """For pairs (viewer, user), in no order; pairs with a block and users who do not exist are absent."""
        ...

    async def note_last_seen(self, *, user_ids: list[UserId], seen_at: list[datetime.datetime]) -> None:
        """For pairs (user, time); an earlier time changes nothing."""
        ...

    async def mark_active(self, *, user_ids: list[UserId]) -> None:
        """Sets the last activity to now; at most once a minute for each user."""
        ...

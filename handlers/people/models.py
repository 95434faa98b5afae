"""The wire models of users."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from handlers.limits import DISPLAY_NAME_CHARS
from realtime.contract.wire import Model, OneTypeOf, TextRule, WireId

Key = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
ProfileValue = Annotated[
    Annotated[str, TextRule(300, shortest=0)]
    | Annotated[list[Annotated[str, TextRule(DISPLAY_NAME_CHARS)]], Field(max_length=30)],
    OneTypeOf("must be a text of at most 300 characters, or at most 30 texts of 1 to 50 characters"),
]
Profile = Annotated[dict[Key, ProfileValue], Field(max_length=30)]
"""More about a user than name and bio, as a client sends it."""


class UserViewer(Model):
    """The relation between the reader and this user.

    `blocked` is the reader's own block: a reader whom this user blocks never sees them. `muted` is the reader's own
    mute, of which this user does not learn. `requested`: the reader has asked to follow, and has no answer yet.
    """

    following: bool
    followed_by: bool
    blocked: bool
    muted: bool
    requested: bool


class Card(Model):
    """A user inside of another object (author, sender, member): the same for every reader.

    `display_name` and `version` are absent for a reader whom this user blocks. Of two cards the one with the larger
    version is newer. Of a `deleted` user, who has deleted their account or is suspended, there is no more than `id` and
    `username`; the username is another one once the account is erased.
    """

    id: WireId
    username: str
    display_name: str | None = None
    version: int | None = None
    deleted: Literal[True] | None = None


class User(Model):
    """A user. `viewer` is in answers only, never in a push, and absent where users read themselves.

    `post_count` is of the posts that the reader may see. The other counts are the same for every reader. `version` is
    raised by every change of the profile or the settings; counts do not move it.
    """

    id: WireId
    version: int
    username: str
    display_name: str
    bio: str
    follower_count: int
    following_count: int
    post_count: int
    is_private: bool
    viewer: UserViewer | None = None


class OwnProfile(Model):
    """The caller's own profile, with `email` or `phone`."""

    user: User
    email: str | None = None
    phone: str | None = None
    profile: dict[str, str | list[str]]
    settings: dict[str, bool | int | str]


class Relation(Model):
    """What the reader has decided about another user: at least one of these. `User.viewer` has more.

    `muted_until_ms` is absent where a mute has no end; one that has ends then, also where nobody says so.
    `requested`: the reader has asked to follow, and has no answer yet.
    """

    user_id: WireId
    following: bool
    blocked: bool
    muted: bool
    muted_until_ms: int | None = None
    requested: bool

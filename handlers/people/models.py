"""How a person looks on the wire."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from handlers.limits import DISPLAY_NAME_CHARS
from realtime.contract.wire import Model, TextRule, WireId

Key = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")]
ProfileValue = (
    Annotated[str, TextRule(300, shortest=0)]
    | Annotated[list[Annotated[str, TextRule(DISPLAY_NAME_CHARS)]], Field(max_length=30)]
)
Profile = Annotated[dict[Key, ProfileValue], Field(max_length=30)]
"""What people tell of themselves beside their name and bio, as a client sends it."""


class UserViewer(Model):
    """What the reader and this person are to each other.

    `blocked` is the reader's own block: whom this person blocks never sees them. `muted` and `requested` are false
    until people can be muted and accounts made private.
    """

    following: bool
    followed_by: bool
    blocked: bool
    muted: bool = False
    requested: bool = False


class Card(Model):
    """A person inside of something else: the same for every reader.

    `display_name` is absent for a reader whom this person blocks.
    """

    id: WireId
    username: str
    display_name: str | None = None


class User(Model):
    """A person. `viewer` stands in answers only, never in a push, and not where a person looks at themselves."""

    id: WireId
    username: str
    display_name: str
    bio: str
    follower_count: int
    following_count: int
    post_count: int
    is_private: bool
    viewer: UserViewer | None = None

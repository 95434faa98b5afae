"""What people can do about themselves and each other: profiles, follows, blocks."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from handlers.limits import BIO_CHARS, DISPLAY_NAME_CHARS, Limits
from handlers.people.models import Key, Profile, User
from realtime.contract.declarations import Command, Fact, Repeat, Route, Unit
from realtime.contract.errors import CONFLICT, NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Empty, Id, Model, Page, PageLimit, Payload, TextRule, WireId

NAMESPACE = "/users"
EXAMPLE_ID = "185604284416000001"

_READS = RateLimit(600, 60)
_EDITS = RateLimit(30, 60)
_FOLLOWS = RateLimit(60, 60)

_SAFE_INTEGER = 2**53 - 1
"""The largest whole number that JavaScript keeps exactly."""

SettingValue = (
    bool | Annotated[int, Field(ge=-_SAFE_INTEGER, le=_SAFE_INTEGER)] | Annotated[str, TextRule(300, shortest=0)]
)


class UserMe(Model):
    """The caller as only they see themselves (`email` or `phone` too), and what a client needs to know at its start."""

    user: User
    email: str | None = None
    phone: str | None = None
    profile: dict[str, str | list[str]]
    settings: dict[str, bool | int | str]
    server_time_ms: int
    limits: Limits
    version: str


class UserDetail(Model):
    user: User
    profile: dict[str, str | list[str]]


class GetUser(Payload):
    """Names one person, by exactly one of the two; a username without regard to case."""

    user_id: Id | None = None
    username: Annotated[str, TextRule(30)] | None = None

    @model_validator(mode="after")
    def _one_name(self) -> GetUser:
        if (self.user_id is None) == (self.username is None):
            raise ValueError("needs one of user_id and username")
        return self


class UpdateUser(Payload):
    """What is absent stays as it is; `profile` and `settings` replace the whole of what was there."""

    display_name: Annotated[str, TextRule(DISPLAY_NAME_CHARS)] | None = None
    bio: Annotated[str, TextRule(BIO_CHARS, shortest=0)] | None = None
    profile: Profile | None = None
    settings: Annotated[dict[Key, SettingValue], Field(max_length=50)] | None = None


class NamedUser(Payload):
    user_id: Id


class Following(Model):
    """`requested` is false until accounts can be private."""

    following: bool
    requested: bool = False


class Blocking(Model):
    blocked: bool


class ListFollows(Payload):
    user_id: Id
    before: Id | None = None
    limit: PageLimit | None = None


class FollowData(Model):
    follower_id: WireId
    followed_id: WireId


FOLLOW_CREATED = Fact(name="follow.created", model=FollowData)

USER_ME = Command(
    name="user:me",
    namespace=NAMESPACE,
    payload=Empty,
    ack=UserMe,
    effect="Tells who the caller is, their settings, the server's clock and the limits of values.",
    repeat=Repeat.READ,
    rate=_READS,
    routes=(Route("GET", "/users/me"),),
)

USER_GET = Command(
    name="user:get",
    namespace=NAMESPACE,
    payload=GetUser,
    ack=UserDetail,
    effect="Shows one person, named by id or by username.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"user_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/users/{user_id}"), Route("GET", "/users/by-name/{username}")),
)

USER_UPDATE = Command(
    name="user:update",
    namespace=NAMESPACE,
    payload=UpdateUser,
    ack=UserDetail,
    effect="Changes the caller's name, bio, profile or settings.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=_EDITS,
    example={
        "display_name": "Ada L.",
        "bio": "Analyst",
        "profile": {"interests": ["engines", "poetry"]},
        "settings": {"theme": "dark"},
    },
    routes=(
        Route("PATCH", "/users/me"),
        Route("PUT", "/users/me"),
        Route("PUT", "/users/{caller_id}", renamed={"profile_info": "profile"}),
    ),
)

USER_FOLLOW = Command(
    name="user:follow",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Following,
    effect="Follows a person: their posts come into the caller's feed. `conflict` for oneself and for whom one blocks.",
    repeat=Repeat.SETS_STATE,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    errors=(NOT_FOUND, CONFLICT),
    routes=(
        Route("POST", "/users/{user_id}/follow"),
        Route("POST", "/users/{caller_id}/follows", renamed={"followed_user_id": "user_id"}),
        Route("POST", "/follow", renamed={"followee_id": "user_id"}),
    ),
)

USER_UNFOLLOW = Command(
    name="user:unfollow",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Following,
    effect="Stops following a person.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(
        Route("DELETE", "/users/{user_id}/follow"),
        Route("DELETE", "/users/{caller_id}/follows/{user_id}"),
    ),
)

USER_BLOCK = Command(
    name="user:block",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Blocking,
    effect=(
        "Blocks a person: neither follows the other any more, the blocked one sees nothing of the caller, and neither "
        "sees the other's posts and comments. `conflict` for oneself."
    ),
    repeat=Repeat.SETS_STATE,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    errors=(NOT_FOUND, CONFLICT),
    routes=(Route("POST", "/users/{user_id}/block"),),
)

USER_UNBLOCK = Command(
    name="user:unblock",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Blocking,
    effect="Takes a block back; the follows that it ended stay ended.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(Route("DELETE", "/users/{user_id}/block"),),
)

USER_FOLLOWERS = Command(
    name="user:followers",
    namespace=NAMESPACE,
    payload=ListFollows,
    ack=Page[User],
    effect="Lists who follows a person, the latest first; without those who are blocked either way.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"user_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/users/{user_id}/followers"),),
)

USER_FOLLOWING = Command(
    name="user:following",
    namespace=NAMESPACE,
    payload=ListFollows,
    ack=Page[User],
    effect="Lists whom a person follows, the latest first; without those who are blocked either way.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"user_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/users/{user_id}/following"),),
)

"""Commands and Facts of users: profiles, follows, blocks."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from handlers.limits import BIO_CHARS, DISPLAY_NAME_CHARS, Limits
from handlers.people.models import Key, OwnProfile, Profile, Relation, User
from realtime.contract.collections import Collection
from realtime.contract.declarations import Command, Fact, Repeat, Route, Unit
from realtime.contract.errors import CONFLICT, NOT_FOUND
from realtime.contract.payload_rules import exactly_one_of
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import WHOLE, Empty, Id, Model, OneTypeOf, Page, PageLimit, Payload, TextRule, WireId

NAMESPACE = "/users"
EXAMPLE_ID = "185604284416000001"

_READS = RateLimit(600, 60)
_EDITS = RateLimit(30, 60)
_FOLLOWS = RateLimit(60, 60)

_FOLLOWED = {"followed_user_id": "user_id", "followee_id": "user_id"}
_FOLLOWER = ("follower_id",)

_SAFE_INTEGER = 2**53 - 1
"""The largest integer that JavaScript represents exactly."""

SettingValue = Annotated[
    bool
    | Annotated[int, Field(ge=-_SAFE_INTEGER, le=_SAFE_INTEGER), WHOLE]
    | Annotated[str, TextRule(300, shortest=0)],
    OneTypeOf("must be true or false, a whole number of at most 53 bits, or a text of at most 300 characters"),
]


class UserMe(OwnProfile):
    """The caller's own profile, and what a client needs at its start."""

    server_time_ms: int
    limits: Limits
    version: str


class UserDetail(Model):
    user: User
    profile: dict[str, str | list[str]]


class GetUser(Payload):
    """Exactly one of the two; a username without regard to case."""

    model_config = ConfigDict(json_schema_extra=exactly_one_of("user_id", "username"))

    user_id: Id | None = None
    username: Annotated[str, TextRule(30)] | None = None

    @model_validator(mode="after")
    def _one_name(self) -> GetUser:
        if (self.user_id is None) == (self.username is None):
            raise ValueError("needs one of user_id and username")
        return self


class UpdateUser(Payload):
    """Absent fields stay as they are; `profile` and `settings` replace the whole old value."""

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


ME = Collection(
    name="me",
    item=OwnProfile,
    id_of=lambda own: str(own.user.id),
    holds="The user's own profile and settings: one item. Its counters are as of the last read.",
    read_anew="`user:me`.",
    told_to_devices=True,
)

RELATIONS = Collection(
    name="relations",
    item=Relation,
    id_of=lambda relation: str(relation.user_id),
    holds="Whom the user follows, blocks, mutes or asks to follow, by id; somebody who is none of these is removed.",
    read_anew="`sync:pull` of this Collection without a cursor.",
    told_to_devices=True,
)

FOLLOW_CREATED = Fact(name="follow.created", model=FollowData, key="follower_id")
FOLLOW_ENDED = Fact(name="follow.ended", model=FollowData, key="follower_id")

USER_ME = Command(
    name="user:me",
    namespace=NAMESPACE,
    payload=Empty,
    ack=UserMe,
    effect="Reads the caller's profile and settings, the server's time and the limits of values.",
    repeat=Repeat.READ,
    rate=_READS,
    routes=(Route("GET", "/users/me"),),
)

USER_GET = Command(
    name="user:get",
    namespace=NAMESPACE,
    payload=GetUser,
    ack=UserDetail,
    effect="Reads one user, by id or by username.",
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
        Route("PUT", "/users/me", renamed={"profile_info": "profile"}),
        Route("PUT", "/users/{caller_id}", renamed={"profile_info": "profile"}),
    ),
)

USER_FOLLOW = Command(
    name="user:follow",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Following,
    effect="Follows a user: their posts appear in the caller's feed. `conflict` for oneself and for a blocked user.",
    repeat=Repeat.SETS_STATE,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    works_on=Unit.STATEMENTS,
    errors=(NOT_FOUND, CONFLICT),
    routes=(
        Route("POST", "/users/{user_id}/follow", caller_fields=("user_id", *_FOLLOWER)),
        Route("POST", "/users/{caller_id}/follows", renamed=_FOLLOWED, caller_fields=_FOLLOWER),
        Route("POST", "/follow", renamed=_FOLLOWED, caller_fields=_FOLLOWER),
    ),
)

USER_UNFOLLOW = Command(
    name="user:unfollow",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Following,
    effect="Stops following a user; the answer is the same for a hidden user, and for an id of nobody.",
    repeat=Repeat.SETS_STATE,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    works_on=Unit.STATEMENTS,
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
        "Blocks a user, whoever blocked first: the follows between the two end, the blocked user cannot see the "
        "caller, and neither sees the other's posts and comments. In the conversation that they have, earlier messages "
        "stay, neither sees the other's positions, and of the caller's name the blocked user sees the username. "
        "`conflict` for oneself."
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
    effect=(
        "Removes the caller's block, whoever blocked first; the follows that it ended stay ended. The answer is the "
        "same for a hidden user, and for an id of nobody."
    ),
    repeat=Repeat.SETS_STATE,
    rate=_FOLLOWS,
    example={"user_id": EXAMPLE_ID},
    routes=(Route("DELETE", "/users/{user_id}/block"),),
)

USER_FOLLOWERS = Command(
    name="user:followers",
    namespace=NAMESPACE,
    payload=ListFollows,
    ack=Page[User],
    effect="Lists the followers of a user, the latest first; without a block between them and the caller.",
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
    effect="Lists the users whom a user follows, the latest first; without a block between them and the caller.",
    repeat=Repeat.READ,
    rate=_READS,
    example={"user_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/users/{user_id}/following"),),
)

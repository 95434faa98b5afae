"""Commands and Facts of mutes."""

from __future__ import annotations

from handlers.people.contract import EXAMPLE_ID, NAMESPACE, NamedUser
from realtime.contract.declarations import Command, Fact, Repeat, Route
from realtime.contract.errors import CONFLICT, NOT_FOUND
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Id, Model, MomentMs, Payload, WireId

_MUTES = RateLimit(60, 60)


class MuteUser(Payload):
    """Without `until_ms` until it is taken back. A later call moves the end."""

    user_id: Id
    until_ms: MomentMs | None = None


class Muting(Model):
    """`muted_until_ms` is absent where the mute has no end."""

    muted: bool
    muted_until_ms: int | None = None


class MuteData(Model):
    muter_id: WireId
    muted_id: WireId


MUTE_BEGUN = Fact(name="mute.begun", model=MuteData, key="muter_id")
MUTE_ENDED = Fact(name="mute.ended", model=MuteData, key="muter_id")
"""Its time is over."""

USER_MUTE = Command(
    name="user:mute",
    namespace=NAMESPACE,
    payload=MuteUser,
    ack=Muting,
    effect=(
        "Mutes a user, followed or not: their posts are not in the caller's feed, and everything else is as before. "
        "The muted user does not learn of it. `conflict` for oneself."
    ),
    repeat=Repeat.SETS_STATE,
    rate=_MUTES,
    example={"user_id": EXAMPLE_ID, "until_ms": 4_102_444_800_000},
    errors=(NOT_FOUND, CONFLICT),
    routes=(Route("POST", "/users/{user_id}/mute"),),
)

USER_UNMUTE = Command(
    name="user:unmute",
    namespace=NAMESPACE,
    payload=NamedUser,
    ack=Muting,
    effect=(
        "Ends the caller's mute: the user's posts are in the caller's feed again where the caller follows them. The "
        "answer is the same for a hidden user, and for an id of nobody."
    ),
    repeat=Repeat.SETS_STATE,
    rate=_MUTES,
    example={"user_id": EXAMPLE_ID},
    routes=(Route("DELETE", "/users/{user_id}/mute"),),
)

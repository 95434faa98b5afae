"""Commands and pushes of presence.

Watch users, then apply `presence:changed`. A watch ends with the socket: after a reconnect, recovered or not, watch
again. The answer is the present state; presence is never replayed.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from realtime.contract.declarations import Command, Push, Repeat, Route, Unit
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Id, Model, Nothing, Payload, WireId

NAMESPACE = "/chat"
WATCH_MAX = 1_000
"""Users in one call, and users watched by one socket."""

_RATE = RateLimit(120, 60)
EXAMPLE_ID = "185604284416000001"


class WatchPresence(Payload):
    user_ids: Annotated[list[Id], Field(min_length=1, max_length=WATCH_MAX)]


class UnwatchPresence(Payload):
    """Without `user_ids`: all users."""

    user_ids: Annotated[list[Id], Field(max_length=WATCH_MAX)] | None = None


class PresenceAck(Model):
    """For each user `true` while online, else when they were last active, in Unix milliseconds.

    Users who do not exist, and those with a block between them and the caller, are left out.
    """

    online: dict[WireId, int | Literal[True]]


class PresenceChanged(Model):
    user_id: WireId
    online: bool
    last_active_ms: int


WATCH = Command(
    name="presence:watch",
    namespace=NAMESPACE,
    payload=WatchPresence,
    ack=PresenceAck,
    effect=(
        "This socket gets `presence:changed` of these users from now on, beside those that it watches already, 1,000 "
        "at most; answers which of them are online. By REST it only answers."
    ),
    repeat=Repeat.READ,
    rate=_RATE,
    example={"user_ids": [EXAMPLE_ID]},
    routes=(Route("POST", "/presence"),),
)

UNWATCH = Command(
    name="presence:unwatch",
    namespace=NAMESPACE,
    payload=UnwatchPresence,
    ack=Nothing,
    effect="Ends the watch of these users on this socket; without `user_ids`, of all.",
    repeat=Repeat.READ,
    works_on=Unit.NONE,
    rate=_RATE,
    example={"user_ids": [EXAMPLE_ID]},
)

PRESENCE_CHANGED = Push(
    name="presence:changed",
    namespace=NAMESPACE,
    model=PresenceChanged,
    audience=(
        "Sockets that watch the user, where no block is in between: at most once a second, and nothing when the user "
        "is back within 30 seconds."
    ),
    volatile=True,
)

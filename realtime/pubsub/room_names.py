"""Names of rooms and of the backplane channels that carry them.

A room's name is also the scope of the `resync` that its members get when they may have missed a push; the scope of a
person's own room is `all`. A room in which not everybody may be names, after its scope, the subjects on which that
depends: `post:7@user:3,followed:3`. Those from whom one of them is withdrawn (`Withdraw`) leave the room.
"""

from __future__ import annotations

from collections.abc import Sequence

EVERY_NODE_CHANNEL = "all"
EVERY_TOPIC_CHANNEL = "topics"
"""Subscribed by all nodes: carries topic pushes while the publisher cannot find out which nodes have subscribers."""
RESYNC_ALL = "all"

_ROOM_PREFIX = "room:"
_NODE_PREFIX = "node:"
_PERSON = "user"
_ABOUT = "@"


def person_room(user_id: int) -> str:
    """The room of everything that concerns one person, on all of their devices."""
    return f"{_PERSON}:{user_id}"


def person_of_room(room: str) -> int | None:
    """The user id of a person's own room; None for any other room."""
    kind, _, rest = room.partition(":")
    return int(rest) if kind == _PERSON else None


def topic_room(topic: str, user_id: int) -> str:
    """The room of a user's sessions that subscribe a topic. It has no channel: the node's own channel reaches it."""
    return f"{topic}:{user_id}"


def room_channel(room: str) -> str:
    return _ROOM_PREFIX + room


def room_of_channel(channel: str) -> str | None:
    """The room that a channel carries; None for a channel that carries no room."""
    return channel.removeprefix(_ROOM_PREFIX) if channel.startswith(_ROOM_PREFIX) else None


def node_channel(node_id: str) -> str:
    return _NODE_PREFIX + node_id


def is_node_channel(channel: str) -> bool:
    """Whether a channel belongs to one node, this one or another."""
    return channel.startswith(_NODE_PREFIX)


def resync_scope(room: str) -> str:
    """What a member of this room has to read again when it may have missed a push."""
    scope, _, _ = room.partition(_ABOUT)
    kind, _, rest = scope.partition(":")
    if kind == _PERSON or not rest:
        return RESYNC_ALL
    return scope


def room_about(scope: str, *subjects: str) -> str:
    """A room that a session leaves when one of the subjects is withdrawn from its user."""
    return f"{scope}{_ABOUT}{','.join(subjects)}"


def about(room: str) -> Sequence[str]:
    """The subjects that a room names; none for a room in which everybody may stay who was let in."""
    _, separator, subjects = room.partition(_ABOUT)
    return subjects.split(",") if separator else ()

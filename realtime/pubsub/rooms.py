"""Names of rooms and of the backplane channels that carry them.

A room's name is also the scope of the `resync` that its members are told after a gap, so that a client knows what to
read again; a person's own room stands for everything.
"""

from __future__ import annotations

EVERY_NODE_CHANNEL = "all"
EVERY_TOPIC_CHANNEL = "topic_registry"
"""Heard by all nodes: for topic_registry of whom nobody can say at this moment on which node they are."""
RESYNC_ALL = "all"

_ROOM_PREFIX = "room:"
_NODE_PREFIX = "node:"
_PERSON = "user"


def person_room(user_id: int) -> str:
    """The room of everything that concerns one person, on all of their devices."""
    return f"{_PERSON}:{user_id}"


def person_of_room(room: str) -> int | None:
    """Whose own room it is; None for the rooms of many."""
    kind, _, rest = room.partition(":")
    return int(rest) if kind == _PERSON else None


def topic_room(topic: str, user_id: int) -> str:
    """The room, of one node only, of a person's sessions that listen to a topic; reached through the node's channel."""
    return f"{topic}:{user_id}"


def room_channel(room: str) -> str:
    return _ROOM_PREFIX + room


def room_of_channel(channel: str) -> str | None:
    """The room that a channel carries; None for a channel of nodes."""
    return channel.removeprefix(_ROOM_PREFIX) if channel.startswith(_ROOM_PREFIX) else None


def node_channel(node_id: str) -> str:
    return _NODE_PREFIX + node_id


def is_node_channel(channel: str) -> bool:
    """Whether a channel is that of one node, be it this one or another."""
    return channel.startswith(_NODE_PREFIX)


def resync_scope(room: str) -> str:
    """What a member of this room has to read again after a gap."""
    kind, _, rest = room.partition(":")
    if kind == _PERSON or not rest:
        return RESYNC_ALL
    return room

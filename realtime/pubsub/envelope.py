"""What nodes say to each other over the backplane: a msgpack array whose JSON parts are never decoded on the way.

A push travels as the encoded JSON of its data; each node splices it into the frames that its own clients need.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgpack

MAX_IDS_PER_ENVELOPE = 2_000

_ROOM, _LISTENERS, _ENTER, _REVOKE = range(4)


@dataclass(frozen=True, slots=True)
class RoomPush:
    """For the members of the room whose channel carries it. `push_id` is None for a push that is never replayed."""

    namespace: str
    event: str
    data: bytes
    push_id: str | None = None


@dataclass(frozen=True, slots=True)
class TopicPush:
    """For the sessions of these people that listen to the topic on the node whose channel carries it."""

    namespace: str
    event: str
    data: bytes
    topic: str
    user_ids: Sequence[int]
    push_id: str | None = None


@dataclass(frozen=True, slots=True)
class EnterOrder:
    """Sessions of one person (whose room's channel carries it) in a namespace enter a room."""

    namespace: str
    room: str
    user_id: int


@dataclass(frozen=True, slots=True)
class RevokeOrder:
    login_session_ids: Sequence[int]


Envelope = RoomPush | TopicPush | EnterOrder | RevokeOrder


def pack(envelope: Envelope) -> bytes:
    match envelope:
        case RoomPush(namespace, event, data, push_id):
            parts: list[object] = [_ROOM, namespace, event, data, push_id]
        case TopicPush(namespace, event, data, topic, user_ids, push_id):
            parts = [_LISTENERS, namespace, event, data, topic, _pack_ids(user_ids), push_id]
        case EnterOrder(namespace, room, user_id):
            parts = [_ENTER, namespace, room, user_id]
        case RevokeOrder(login_session_ids):
            parts = [_REVOKE, _pack_ids(login_session_ids)]
    return bytes(msgpack.packb(parts))


def unpack(body: bytes) -> Envelope:
    """Raises ValueError for a body that no version of this module made."""
    parts = msgpack.unpackb(body)
    match parts:
        case [0, str(namespace), str(event), bytes(data), str() | None as push_id]:
            return RoomPush(namespace, event, data, push_id)
        case [1, str(namespace), str(event), bytes(data), str(topic), bytes(ids), str() | None as push_id]:
            return TopicPush(namespace, event, data, topic, _unpack_ids(ids), push_id)
        case [2, str(namespace), str(room), int(user_id)]:
            return EnterOrder(namespace, room, user_id)
        case [3, bytes(ids)]:
            return RevokeOrder(_unpack_ids(ids))
    raise ValueError("unknown envelope")


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """The ids in pieces that keep an envelope below the backplane's cap on a message's size."""
    for start in range(0, len(ids), MAX_IDS_PER_ENVELOPE):
        yield ids[start : start + MAX_IDS_PER_ENVELOPE]


def _pack_ids(ids: Sequence[int]) -> bytes:
    return struct.pack(f">{len(ids)}Q", *ids)


def _unpack_ids(packed: bytes) -> tuple[int, ...]:
    if len(packed) % 8:
        raise ValueError("half an id")
    return struct.unpack(f">{len(packed) // 8}Q", packed)

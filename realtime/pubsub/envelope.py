"""Messages between nodes on the backplane, as msgpack arrays.

A push carries the encoded JSON of its data. No node decodes it: each splices it into the frames of its own clients.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgpack

from realtime.contract.packed_ids import ID_BYTES, pack_ids, unpack_ids

MAX_IDS_PER_ENVELOPE = 2_000

_ROOM_PUSH, _TOPIC_PUSH, _ROOM_JOIN, _LOGIN_REVOCATION, _WITHDRAWAL, _RESTORATION, _ROOM_CLOSURE, _SUBJECT_CLOSURE = (
    range(8)
)

Named = Sequence[tuple[str, int]]
"""What a push tells of, by name and version."""


@dataclass(frozen=True, slots=True)
class RoomPush:
    """For the members of the room whose channel carries it, but for the packed user ids `without`.

    `push_id` is None for a push that is never replayed.
    """

    namespace: str
    event: str
    data: bytes
    push_id: str | None = None
    subjects: Named = ()
    without: bytes = b""


@dataclass(frozen=True, slots=True)
class TopicPush:
    """For the sessions on the receiving node that subscribe the topic as one of these users.

    The user ids stay packed (`packed_ids`) from here to the replay log.
    """

    namespace: str
    event: str
    data: bytes
    topic: str
    packed_user_ids: bytes
    push_id: str | None = None
    subjects: Named = ()


@dataclass(frozen=True, slots=True)
class RoomJoin:
    """Puts a user's sessions of a namespace into a room; travels on the channel of the user's own room."""

    namespace: str
    room: str
    user_id: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class LoginRevocation:
    """Closes the connections of these login sessions."""

    login_session_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """See `Withdraw` of the contract. `packed_user_ids` is None for everybody."""

    subject: str
    below_version: int | None
    packed_user_ids: bytes | None


@dataclass(frozen=True, slots=True)
class Restoration:
    """See `Restore` of the contract. `packed_user_ids` is None for everybody."""

    subject: str
    packed_user_ids: bytes | None


@dataclass(frozen=True, slots=True)
class RoomClosure:
    """Takes all sessions out of the room whose channel carries it."""


@dataclass(frozen=True, slots=True)
class SubjectClosure:
    """Takes all sessions out of every room that names a subject."""

    subject: str


Envelope = RoomPush | TopicPush | RoomJoin | LoginRevocation | Withdrawal | Restoration | RoomClosure | SubjectClosure


def pack(envelope: Envelope) -> bytes:
    match envelope:
        case RoomPush(namespace, event, data, push_id, subjects, without):
            parts: list[object] = [_ROOM_PUSH, namespace, event, data, push_id, subjects, without]
        case TopicPush(namespace, event, data, topic, packed_user_ids, push_id, subjects):
            parts = [_TOPIC_PUSH, namespace, event, data, topic, packed_user_ids, push_id, subjects]
        case RoomJoin(namespace, room, user_id, is_new):
            parts = [_ROOM_JOIN, namespace, room, user_id, is_new]
        case LoginRevocation(login_session_ids):
            parts = [_LOGIN_REVOCATION, pack_ids(login_session_ids)]
        case Withdrawal(subject, below_version, user_ids):
            parts = [_WITHDRAWAL, subject, below_version, user_ids]
        case Restoration(subject, restored_ids):
            parts = [_RESTORATION, subject, restored_ids]
        case RoomClosure():
            parts = [_ROOM_CLOSURE]
        case SubjectClosure(subject):
            parts = [_SUBJECT_CLOSURE, subject]
    return bytes(msgpack.packb(parts))


def unpack(body: bytes) -> Envelope:
    """Raises ValueError for a body that no version of this module made."""
    parts = msgpack.unpackb(body, use_list=False)
    match parts:
        case [
            0,
            str(namespace),
            str(event),
            bytes(data),
            str() | None as push_id,
            tuple(subjects),
            bytes(without),
        ] if _are_named(subjects) and _are_ids(without):
            return RoomPush(namespace, event, data, push_id, subjects, without)
        case [
            1,
            str(namespace),
            str(event),
            bytes(data),
            str(topic),
            bytes(user_ids),
            str() | None as push_id,
            tuple(subjects),
        ] if _are_ids(user_ids) and _are_named(subjects):
            return TopicPush(namespace, event, data, topic, user_ids, push_id, subjects)
        case [2, str(namespace), str(room), int(user_id), bool(is_new)]:
            return RoomJoin(namespace, room, user_id, is_new)
        case [3, bytes(ids)]:
            return LoginRevocation(unpack_ids(ids))
        case [4, str(subject), int() | None as below_version, bytes() | None as user_ids] if _are_ids(user_ids or b""):
            return Withdrawal(subject, below_version, user_ids)
        case [5, str(subject), bytes() | None as user_ids] if _are_ids(user_ids or b""):
            return Restoration(subject, user_ids)
        case [6]:
            return RoomClosure()
        case [7, str(subject)]:
            return SubjectClosure(subject)
    raise ValueError("unknown envelope")


def _are_ids(packed: bytes) -> bool:
    return len(packed) % ID_BYTES == 0


def _are_named(subjects: tuple[object, ...]) -> bool:
    for subject in subjects:
        match subject:
            case [str(), int()]:
                continue
        return False
    return True


def chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """Slices of at most MAX_IDS_PER_ENVELOPE ids, so that no envelope exceeds the backplane's size limit."""
    for start in range(0, len(ids), MAX_IDS_PER_ENVELOPE):
        yield ids[start : start + MAX_IDS_PER_ENVELOPE]

"""The pushes and signals that an operation returns, to be sent once its change is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from realtime.contract.declarations import EVERY_NAMESPACE, Push, Subject


class ToRoom(NamedTuple):
    """All members of a room on all nodes, but for these users; they receive the room's pushes in one order."""

    room: str
    without: Sequence[int] = ()


class ToTopic(NamedTuple):
    """Those of these users who subscribe a topic now; one message for each node with any of them."""

    topic: str
    user_ids: Sequence[int]


class Emission(NamedTuple):
    """One push with its data and its recipients, and subjects that its data does not name."""

    push: Push[Any]
    data: BaseModel
    to: ToRoom | ToTopic
    namespace: str
    also_about: tuple[Subject, ...] = ()


@dataclass(frozen=True, slots=True)
class JoinRoom:
    """Puts all sessions of these users in a namespace into a room, on every node.

    Each session that was not in the room gets a `resync` of it: pushes from before it joined are read again. A room
    that `is_new` has had none, so that there is nothing to read.
    """

    namespace: str
    room: str
    user_ids: Sequence[int]
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class RevokeLoginSessions:
    """Ends login sessions at once: their sockets are closed on every node and their tokens are refused."""

    login_session_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Withdraw:
    """What was told of a subject is not told again: not in a replay, and not by a push that is still on its way.

    `below_version`: only its older versions, after an edit; None: all. `user_ids`: not to these users, who may not see
    it any more; None: to nobody. It holds on every node. Sessions of users who may see no version any more leave the
    rooms that name the subject.
    """

    subject: str
    below_version: int | None = None
    user_ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Restore:
    """Takes a `Withdraw` back: these users may see the subject again. None: one from everybody is taken back."""

    subject: str
    user_ids: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class CloseRoom:
    """Takes all sessions out of a room, on every node; each gets a `resync` of it, and is replayed nothing of it."""

    room: str


@dataclass(frozen=True, slots=True)
class CloseRoomsAbout:
    """The same for every room that names this subject. It looks at all rooms of each node."""

    subject: str


Signal = JoinRoom | RevokeLoginSessions | Withdraw | Restore | CloseRoom | CloseRoomsAbout
"""An instruction to all nodes about their sessions. Clients do not receive it."""


def emission(
    push: Push[Any],
    data: BaseModel,
    to: ToRoom | ToTopic,
    *,
    namespace: str | None = None,
    also_about: tuple[Subject, ...] = (),
) -> Emission:
    """A push in its own namespace, or in one that it declares beside it.

    Raises TypeError where the data is not of the push's model, and ValueError for any other namespace: what is wrong
    fails in a test, not at a client.
    """
    if not isinstance(data, push.model):
        raise TypeError(f"{push.name} carries {push.model.__name__}, not {type(data).__name__}")
    if namespace is not None and not {namespace, EVERY_NAMESPACE} & {push.namespace, *push.also_in}:
        raise ValueError(f"{push.name} is not sent in {namespace}")
    return Emission(push, data, to, namespace or push.namespace, also_about)

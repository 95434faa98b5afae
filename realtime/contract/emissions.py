"""What an operation hands to the fan-out once its change is committed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel

from realtime.contract.declarations import Push


class ToRoom(NamedTuple):
    """Everybody in a room, on all nodes, in one order."""

    room: str


class ToTopic(NamedTuple):
    """Those of these people who listen to a topic now, one message per node that holds any of them."""

    topic: str
    user_ids: Sequence[int]


class Emission(NamedTuple):
    """One push and who gets it."""

    push: Push[Any]
    data: BaseModel
    to: ToRoom | ToTopic


@dataclass(frozen=True, slots=True)
class Enter:
    """Puts all sessions that these people have in a namespace into a room, on every node.

    Whoever was put in is told to `resync` the room afterwards: what was said before that is not lost.
    """

    namespace: str
    room: str
    user_ids: Sequence[int]


@dataclass(frozen=True, slots=True)
class Revoke:
    """Ends login sessions at once: their sockets are closed on every node and their tokens are refused."""

    login_session_ids: Sequence[int]


Signal = Enter | Revoke


def emission(push: Push[Any], data: BaseModel, to: ToRoom | ToTopic) -> Emission:
    """Checks that the data is of the push's model: a wrong shape fails here, in a test, not at a client."""
    if not isinstance(data, push.model):
        raise TypeError(f"{push.name} carries {push.model.__name__}, not {type(data).__name__}")
    return Emission(push, data, to)

"""What one client did and received, in order: the only thing that the checker relies on beside the rows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

POSTS = "posts"
"""The room of posts as their authors made them; no client is expected to receive it."""


def conversation_room(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"


def feed_room(user_id: str) -> str:
    return f"feed:{user_id}"


def is_conversation(room: str) -> bool:
    """Its items are numbered from 1 without a gap, and all clients receive them in one order."""
    return room.startswith("conversation:")


class Item(NamedTuple):
    """A message or a post as every reader sees it. `id` is a message's `seq`, or a post's id."""

    room: str
    id: int
    author: str
    text: str


class Sent(NamedTuple):
    """A client began to send an item; no two items of a run have the same text."""

    at_s: float
    room: str
    text: str


class Acked(NamedTuple):
    at_s: float
    text: str
    item: Item


class Refused(NamedTuple):
    """A final answer that the command was not executed."""

    at_s: float
    text: str
    code: str


class Heard(NamedTuple):
    """A push; `connection` is the number of the client's connection."""

    at_s: float
    connection: int
    item: Item


class Read(NamedTuple):
    """An answer to a read; `room` is the conversations or the feed, as `resync` names scopes."""

    at_s: float
    scope: str
    items: tuple[Item, ...]


class Told(NamedTuple):
    """`resync`."""

    at_s: float
    scope: str


class Connected(NamedTuple):
    at_s: float
    connection: int
    url: str
    recovered: bool = False
    """Whether the previous sessions continue, so that nothing has to be read."""


class Lost(NamedTuple):
    at_s: float
    connection: int
    why: str


Event = Sent | Acked | Refused | Heard | Read | Told | Connected | Lost
E = TypeVar("E", bound=Event)


class History:
    """The history of one device of a person."""

    def __init__(self, client: str, user_id: str) -> None:
        self.client = client
        self.user_id = user_id
        self.events: list[Event] = []

    def of(self, kind: type[E]) -> Iterator[E]:
        return (event for event in self.events if isinstance(event, kind))

    def items(self) -> Iterator[Item]:
        """Every item that the client received, once for each time that it did."""
        for event in self.events:
            if isinstance(event, Heard | Acked):
                yield event.item
            elif isinstance(event, Read):
                yield from event.items

"""Proves from the clients' histories and the rows that nothing was lost, doubled, reordered or withheld.

Pure functions over values: they return complaints, none when all is well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import NamedTuple

from tests.chaos.history import (
    POSTS,
    Acked,
    Connected,
    Heard,
    History,
    Item,
    Read,
    Refused,
    Sent,
    Told,
    is_conversation,
)

Content = tuple[str, str]
"""Author and text."""


class Fault(StrEnum):
    LOST = "lost"
    DOUBLED = "doubled"
    REORDERED = "reordered"
    DIVERGED = "diverged"
    LACKING = "lacking"
    UNANSWERED = "unanswered"
    MISNUMBERED = "misnumbered"


class Complaint(NamedTuple):
    fault: Fault
    what: str


@dataclass(frozen=True, slots=True)
class Truth:
    """The rows when all activity has ended; `audience`: the people who must have everything of a room."""

    rows: Mapping[str, Mapping[int, Content]]
    audience: Mapping[str, Collection[str]]


def check(histories: Sequence[History], truth: Truth, *, at_most_once: bool) -> list[Complaint]:
    """`at_most_once`: no push may have come twice on one connection (only a Redis that hangs may cause that)."""
    return [
        *check_answers(histories, truth),
        *check_rows(histories, truth),
        *check_shown(histories, truth),
        *check_order(histories),
        *check_converged(histories, truth),
        *(check_heard_once(histories) if at_most_once else ()),
    ]


def check_answers(histories: Sequence[History], truth: Truth) -> Iterator[Complaint]:
    """Everything sent was answered in the end, with the same item at every retry, and that item is stored."""
    for history in histories:
        sent = {event.text: event.room for event in history.of(Sent)}
        items: dict[str, Item] = {}
        for event in history.of(Acked):
            room, text, item = sent[event.text], event.text, event.item
            if item != items.setdefault(text, item):
                yield Complaint(Fault.DOUBLED, f"{text!r} of {history.client} was acked as {items[text]} and as {item}")
            if (item.room, item.author, item.text) != (room, history.user_id, text):
                yield Complaint(Fault.DIVERGED, f"{text!r} of {history.client} into {room} was acked as {item}")
            if truth.rows.get(item.room, {}).get(item.id) != (item.author, item.text):
                yield Complaint(Fault.LOST, f"{item} was acked to {history.client}, and is not stored")
        refused = {event.text: event.code for event in history.of(Refused)}
        for text in sent.keys() - items.keys():
            answer = refused.get(text, "nothing")
            yield Complaint(Fault.UNANSWERED, f"{text!r} of {history.client} was answered with {answer}")


def check_rows(histories: Sequence[History], truth: Truth) -> Iterator[Complaint]:
    """Nothing that was sent is stored twice, and conversations are numbered from 1 without a gap."""
    sent = _sent(histories)
    stored = Counter(
        text
        for room, rows in truth.rows.items()
        if is_conversation(room) or room == POSTS
        for _, text in rows.values()
        if text in sent
    )
    for text, count in stored.items():
        if count > 1:
            yield Complaint(Fault.DOUBLED, f"{text!r} is stored {count} times")
    for room, rows in truth.rows.items():
        if is_conversation(room) and sorted(rows) != list(range(1, len(rows) + 1)):
            yield Complaint(Fault.MISNUMBERED, f"{room} has the numbers {sorted(rows)}")


def check_shown(histories: Sequence[History], truth: Truth) -> Iterator[Complaint]:
    """Everything that a client received is stored in the same form, in a room that the person may see."""
    for history in histories:
        for item in set(history.items()):
            if item.room != POSTS and history.user_id not in truth.audience.get(item.room, ()):
                yield Complaint(Fault.DIVERGED, f"{history.client} was shown {item}, of a room that is not theirs")
            elif (stored := truth.rows.get(item.room, {}).get(item.id)) != (item.author, item.text):
                yield Complaint(Fault.DIVERGED, f"{history.client} was shown {item}, stored is {stored}")


def check_order(histories: Sequence[History]) -> Iterator[Complaint]:
    """Each conversation's pushes have one order that fits what every connection received."""
    heard: dict[str, dict[tuple[str, int], dict[int, None]]] = defaultdict(lambda: defaultdict(dict))
    for history in histories:
        for event in history.of(Heard):
            if is_conversation(event.item.room):
                heard[event.item.room][history.client, event.connection][event.item.id] = None
    for room, by_connection in heard.items():
        order = TopologicalSorter[int]()
        for ids in by_connection.values():
            for earlier, later in pairwise(ids):
                order.add(later, earlier)
        try:
            order.prepare()
        except CycleError as error:
            cycle = set(error.args[1])
            told = {
                f"{client} on connection {number}": [id for id in ids if id in cycle]
                for (client, number), ids in by_connection.items()
                if len(cycle & ids.keys()) > 1
            }
            yield Complaint(Fault.REORDERED, f"{room} was heard in more than one order: {told}")


def check_heard_once(histories: Sequence[History]) -> Iterator[Complaint]:
    for history in histories:
        counts = Counter((event.connection, event.item) for event in history.of(Heard))
        for (connection, item), count in counts.items():
            if count > 1:
                yield Complaint(
                    Fault.DOUBLED, f"{history.client} heard {item} {count} times on connection {connection}"
                )


def check_converged(histories: Sequence[History], truth: Truth) -> Iterator[Complaint]:
    """Every client has everything: all of its person's conversations, and the posts of this run in their feed."""
    sent = _sent(histories)
    rooms_of: dict[str, list[str]] = defaultdict(list)
    for room, people in truth.audience.items():
        for user_id in people:
            rooms_of[user_id].append(room)
    for history in histories:
        known: dict[str, set[int]] = defaultdict(set)
        for item in history.items():
            known[item.room].add(item.id)
        for room in rooms_of[history.user_id]:
            rows = truth.rows.get(room, {})
            expected = rows.keys() if is_conversation(room) else {id for id, (_, text) in rows.items() if text in sent}
            if lacking := expected - known[room]:
                yield Complaint(
                    Fault.LACKING,
                    f"{history.client} lacks {sorted(lacking)[:10]} of {len(rows)} in {room}, {_knowing(history)}",
                )


def _sent(histories: Sequence[History]) -> set[str]:
    return {event.text for history in histories for event in history.of(Sent)}


def _knowing(history: History) -> str:
    """Whether the client could know that it misses something."""
    begun_at_s = [event.at_s for event in history.of(Connected) if not event.recovered]
    told_at_s = max([*begun_at_s, *(event.at_s for event in history.of(Told))], default=0.0)
    read_at_s = max((event.at_s for event in history.of(Read)), default=-1.0)
    return "and was told nothing" if read_at_s >= told_at_s else "and has not read on since it was told to"

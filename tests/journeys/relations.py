"""Who followed and who blocked whom at which time, as far as clients can know."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["follow", "unfollow", "block", "unblock"]
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """The relation became `value` at some moment between these two."""

    value: bool
    sent_at_s: float
    acked_at_s: float


class States:
    """A relation of pairs of people, true for some at the start and changed since."""

    def __init__(self, true_at_start: Iterable[Pair]) -> None:
        self._at_start = set(true_at_start)
        self._changes: dict[Pair, list[Change]] = defaultdict(list)

    def change(self, pair: Pair, change: Change) -> None:
        """The changes of one pair follow each other, each after the ack of the one before."""
        self._changes[pair].append(change)

    def during(self, pair: Pair, from_s: float, to_s: float) -> set[bool]:
        """The values that the relation may have had during this time; one value if it is certain."""
        value, possible = pair in self._at_start, set[bool]()
        for change in self._changes[pair]:
            if change.acked_at_s <= from_s:
                value = change.value
            elif change.sent_at_s <= to_s:
                possible.add(change.value)
        return possible | {value}

    def became(self, value: bool, by_s: float) -> Iterator[Pair]:
        """The pairs of which this may have become true (or false) by a moment."""
        for pair, changes in self._changes.items():
            if any(change.value is value and change.sent_at_s <= by_s for change in changes):
                yield pair

    def at_end(self) -> set[Pair]:
        ended = {pair for pair, changes in self._changes.items() if changes and changes[-1].value}
        return ended | {pair for pair in self._at_start if not self._changes[pair]}


class Relations:
    """The follows and blocks of all people. Ids are those of the wire."""

    def __init__(self, follows: Iterable[Pair], blocks: Iterable[Pair]) -> None:
        self._follows = States(follows)
        self._blocks = States(blocks)

    def change(self, kind: Kind, actor: str, other: str, *, sent_at_s: float, acked_at_s: float) -> None:
        """Records an accepted command."""
        pair = (actor, other)
        made, ended = Change(True, sent_at_s, acked_at_s), Change(False, sent_at_s, acked_at_s)
        match kind:
            case "follow":
                self._follows.change(pair, made)
            case "unfollow":
                self._follows.change(pair, ended)
            case "unblock":
                self._blocks.change(pair, ended)
            case "block":
                self._blocks.change(pair, made)
                self._follows.change(pair, ended)
                self._follows.change((other, actor), ended)

    def hears(self, reader: str, author: str, from_s: float, to_s: float) -> set[bool]:
        """The values that "the reader's feed takes posts of this author" may have had."""
        follows = self._follows.during((reader, author), from_s, to_s)
        blocked = self.blocked(reader, author, from_s, to_s)
        return {does and not is_blocked for does in follows for is_blocked in blocked}

    def follows(self, reader: str, author: str, from_s: float, to_s: float) -> set[bool]:
        return self._follows.during((reader, author), from_s, to_s)

    def blocks(self, blocker: str, blocked: str, from_s: float, to_s: float) -> set[bool]:
        """The values of a block in this direction."""
        return self._blocks.during((blocker, blocked), from_s, to_s)

    def blocked(self, one: str, other: str, from_s: float, to_s: float) -> set[bool]:
        """The values of a block in either direction."""
        return {a or b for a in self.blocks(one, other, from_s, to_s) for b in self.blocks(other, one, from_s, to_s)}

    def lost_sight(self, reader: str, by_s: float) -> bool:
        """Whether somebody's posts may have been withdrawn from this reader by a moment."""
        unfollowed = any(follower == reader for follower, _ in self._follows.became(False, by_s))
        return unfollowed or any(reader in pair for pair in self._blocks.became(True, by_s))

    def follows_at_end(self, among: Collection[str]) -> set[Pair]:
        return {pair for pair in self._follows.at_end() if pair[0] in among and pair[1] in among}

    def blocks_at_end(self) -> set[Pair]:
        return self._blocks.at_end()

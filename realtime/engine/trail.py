"""What it takes to give one session back to its client: where it stands in the logs of this node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from realtime.engine.push_frames import PushFrames
from realtime.replay_log import LogEntry, ReplayLogs, family_key, is_among, pack_people

NOTHING_WRITTEN = object()


class Past(Protocol):
    """What a session was to be told before it came to this node."""

    def missed(self, offset: str | None) -> Sequence[PushFrames] | None:
        """What follows the push of this id; None when that is not known."""

    def knows(self, push_id: str) -> bool:
        """Whether a push of this id was for the session then, so that it must not be told again."""


class Carried:
    """What another node had for the session after the push `base`, in its order; `told` it had got before."""

    __slots__ = ("_base", "_known", "pushes")

    def __init__(self, base: str | None, pushes: Sequence[PushFrames], told: Iterable[str]) -> None:
        self._base = base
        self.pushes = pushes
        self._known = frozenset(told).union(push.push_id for push in pushes if push.push_id is not None)

    def missed(self, offset: str | None) -> Sequence[PushFrames] | None:
        if offset == self._base:
            return self.pushes
        for index, push in enumerate(self.pushes):
            if push.push_id == offset:
                return self.pushes[index + 1 :]
        return None

    def knows(self, push_id: str) -> bool:
        return push_id in self._known


class Trail:
    """Follows one session that asked for recovery.

    `positions` tells each room with the number of the last entry before the session entered it. `start` is where the
    session began on this node, `last` the id of the push that was written to its client last, `left_at` where the
    client was lost. `past` is None for a session that began here. `answered` tells whether the client knows `pid`.
    """

    __slots__ = ("_logs", "answered", "last", "left_at", "namespace", "past", "pid", "positions", "start")

    def __init__(self, pid: str, namespace: str, logs: ReplayLogs) -> None:
        self.pid = pid
        self.namespace = namespace
        self.positions: dict[str, int] = {}
        self.start = logs.last
        self.last: str | object | None = None
        self.left_at = logs.last
        self.past: Past | None = None
        self.answered = False
        self._logs = logs
        logs.hold()

    def end(self) -> None:
        """Nobody will come back to this session."""
        self._logs.let_go()

    @property
    def own_key(self) -> str:
        """The log of what this one session is told."""
        return f"session:{self.pid}"

    def joined(self, room: str) -> None:
        self.positions[room] = self._logs.last

    def left(self, room: str) -> None:
        self.positions.pop(room, None)

    def wrote(self, push: PushFrames) -> bool:
        """Notes that a push is written now. False: the client had it on another node already."""
        if push.push_id is not None:
            if self.past is not None and self.past.knows(push.push_id):
                return False
            self.last = push.push_id
        return True

    def push(self, event: str, data: bytes) -> PushFrames:
        """Makes and logs a push for this one session."""
        push = PushFrames(self.namespace, event, data, self._logs.push_ids.make())
        self._logs.append(self.own_key, push)
        return push

    def lost_client(self) -> None:
        """Whatever comes from now on is missed."""
        self.left_at = self._logs.last

    def missed(self, offset: str | None) -> list[PushFrames] | None:
        """All that the client has not got, in order, when the last push that it got is `offset` (None: none at all).

        None when that is not known to the last push: then nothing may be replayed.
        """
        if self.past is not None:
            before = self.past.missed(offset)
            if before is not None:
                since = self._since(self.start)
                if since is None:
                    return None
                known = self.past.knows
                return [*before, *(push for push in since if push.push_id is None or not known(push.push_id))]
        number = self._number_of(offset)
        return None if number is None else self._since(number)

    def told_since(self, offset: str | None, *, seconds: float, at_most: int) -> list[str]:
        """Ids of the pushes that the client got shortly before this one and with it, as far as they are known."""
        number = self._number_of(offset)
        told = [] if offset is None else [offset]
        if number is None:
            return told
        newest: float | None = None
        entries = sorted(self._entries_after(self._logs.evicted), key=lambda entry: entry.number, reverse=True)
        for entry in entries:
            if entry.number > number or entry.push is None or entry.push.push_id is None:
                continue
            newest = entry.at_s if newest is None else newest
            if len(told) >= at_most or entry.at_s < newest - seconds:
                break
            told.append(entry.push.push_id)
        return told

    def knows(self, push_id: str) -> bool:
        return self._logs.number_of(push_id) is not None or (self.past is not None and self.past.knows(push_id))

    def _number_of(self, offset: str | None) -> int | None:
        """After which entry the client's knowledge ends."""
        if offset == self.last:
            return self.left_at
        if offset is None:
            return self.start if self.past is None else None
        number = self._logs.number_of(offset)
        # An older one is of an earlier session: clients repeat it when their last recovery was refused.
        return number if number is not None and number > self.start else None

    def _since(self, number: int) -> list[PushFrames] | None:
        if number < self._logs.evicted:
            return None
        entries = list(self._entries_after(number))
        pushes = [entry.push for entry in sorted(entries, key=lambda entry: entry.number) if entry.push is not None]
        return pushes if len(pushes) == len(entries) else None

    def _entries_after(self, number: int) -> Iterator[LogEntry]:
        """This session's entries and the marks of gaps in its logs, in no order."""
        yield from self._read(self.own_key, number, None)
        families: dict[str, int] = {}
        for room, joined in self.positions.items():
            after = max(number, joined)
            yield from self._read(room, after, None)
            family, _, person = room.rpartition(":")
            if family and person.isdecimal() and len(person) < 20:
                key = family_key(family)
                yield from self._read(key, after, pack_people([int(person)]))
                families[key] = min(after, families.get(key, after))
        for after in families.values():
            yield from self._read(family_key("*"), after, None)

    def _read(self, key: str, number: int, person: bytes | None) -> Iterator[LogEntry]:
        for entry in self._logs.newest_first(key):
            if entry.number <= number:
                return
            if entry.push is None or (
                entry.push.namespace == self.namespace
                and (person is None or (entry.people is not None and is_among(entry.people, person)))
            ):
                yield entry

"""What it takes to give one session back to its client: where it stands in the logs of this node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from realtime.contract.packed_ids import contains_id, pack_ids
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.replay_log import LogEntry, ReplayLogs, family_key

NOTHING_WRITTEN = object()
TOLD_BEFORE_S = 10.0
TOLD_BEFORE_MAX = 500
"""How far back a session that changes its node remembers what it was told; no node hears that much later."""


class Past(Protocol):
    """What a session was to be told before it came to this node."""

    def missed(self, offset: str | None) -> Sequence[EncodedPush] | None:
        """What follows the push of this id; None when that is not known."""

    def knows(self, push_id: str) -> bool:
        """Whether a push of this id was for the session then, so that it must not be told again."""


class CarriedPushes:
    """What another node had for the session after the push `base`, in its order; `told` it had got before."""

    __slots__ = ("_base", "_known", "_pushes")

    def __init__(self, base: str | None, pushes: Sequence[EncodedPush], told: Iterable[str]) -> None:
        self._base = base
        self._pushes = pushes
        self._known = frozenset(told).union(push.push_id for push in pushes if push.push_id is not None)

    @property
    def size_bytes(self) -> int:
        return sum(len(push.data) for push in self._pushes)

    def missed(self, offset: str | None) -> Sequence[EncodedPush] | None:
        if offset == self._base:
            return self._pushes
        for index, push in enumerate(self._pushes):
            if push.push_id == offset:
                return self._pushes[index + 1 :]
        return None

    def knows(self, push_id: str) -> bool:
        return push_id in self._known

    def export(self) -> list[Any]:
        told = [[push.event, push.data, push.push_id] for push in self._pushes]
        return [self._base, told, list(self._known)]

    @staticmethod
    def restore(namespace: str, exported: Sequence[Any]) -> CarriedPushes:
        base, told, known = exported
        return CarriedPushes(base, [EncodedPush(namespace, *parts) for parts in told], known)


class RecoveryState:
    """Follows one session that asked for recovery.

    `positions` tells each room with the number of the last entry before the session entered it. `start` is where the
    session began on this node, `last` the id of the push that was written to its client last, `left_at` where the
    client was lost. `past` is None for a session that began here. `answered` tells whether the client knows `pid`.
    """

    __slots__ = ("_logs", "answered", "away", "last", "left_at", "namespace", "past", "pid", "positions", "start")

    def __init__(self, pid: str, namespace: str, logs: ReplayLogs) -> None:
        self.pid = pid
        self.namespace = namespace
        self.positions: dict[str, int] = {}
        self.start = logs.last
        self.last: str | object | None = None
        self.left_at = logs.last
        self.past: Past | None = None
        self.answered = False
        self.away = True
        self._logs = logs
        logs.hold()

    def end(self) -> None:
        """Nobody will come back to this session."""
        self._logs.let_go()

    @property
    def own_key(self) -> str:
        """The log of what this one session is told."""
        return f"session:{self.pid}"

    @property
    def carried_bytes(self) -> int:
        """How much data of pushes stands with the session itself and not in any logs."""
        if isinstance(self.past, RecoveryState):
            return self.past.carried_bytes
        return self.past.size_bytes if isinstance(self.past, CarriedPushes) else 0

    @property
    def forgotten(self) -> bool:
        """Whether the logs do not reach back any more to where a client that is away, or behind, has got to."""
        return self.away and self._logs.evicted > self.left_at

    def joined(self, room: str) -> None:
        self.positions[room] = self._logs.last

    def left(self, room: str) -> None:
        self.positions.pop(room, None)

    def told_elsewhere(self, push: EncodedPush) -> bool:
        """Whether the client had this push on another node already, or gets it as one that it missed there."""
        if self.past is None or push.push_id is None:
            return False
        if self._logs.evicted > self.start:
            self.past = None
            return False
        return self.past.knows(push.push_id)

    def push(self, event: str, data: bytes) -> EncodedPush:
        """Makes and logs a push for this one session."""
        push = EncodedPush(self.namespace, event, data, self._logs.push_ids.make())
        self._logs.append(self.own_key, push)
        return push

    def came_with(self, past: Past) -> None:
        """The session was on another node before."""
        self.past = past
        self.last = NOTHING_WRITTEN

    def came_back(self, offset: str | None) -> None:
        """The client is about to get what it missed: of the past only so much is kept as it may ask for again."""
        past = self.past
        if isinstance(past, RecoveryState) and (before := past.missed(offset)) is not None:
            self.past = CarriedPushes(offset, before, past.told_since(offset))

    def export(self, number_of: Callable[[ReplayLogs], int]) -> dict[str, Any]:
        """Where the session stands in these logs, for a node that gets copies of them; see `restore`.

        `number_of` gives the logs that are named a number, by which `restore` finds their copies.
        """
        past = self.past
        return {
            "pid": self.pid,
            "logs": number_of(self._logs),
            "positions": self.positions,
            "start": self.start,
            "last": self.last if self.last is not NOTHING_WRITTEN else False,
            "left_at": self.left_at if self.away else self._logs.last,
            "carried": past.export() if isinstance(past, CarriedPushes) else None,
            "before": past.export(number_of) if isinstance(past, RecoveryState) else None,
        }

    @staticmethod
    def restore(namespace: str, logs: Sequence[ReplayLogs], exported: Mapping[str, Any]) -> RecoveryState:
        """What another node exported, over the copies of its logs."""
        recovery_state = RecoveryState(exported["pid"], namespace, logs[exported["logs"]])
        recovery_state.positions = dict(exported["positions"])
        recovery_state.start = exported["start"]
        recovery_state.last = NOTHING_WRITTEN if exported["last"] is False else exported["last"]
        recovery_state.left_at = exported["left_at"]
        if exported["carried"] is not None:
            recovery_state.past = CarriedPushes.restore(namespace, exported["carried"])
        elif exported["before"] is not None:
            recovery_state.past = RecoveryState.restore(namespace, logs, exported["before"])
        return recovery_state

    def lost_client(self) -> None:
        """Whatever comes from now on is missed."""
        self.left_at = self._logs.last
        self.away = True

    def told_until(self, push: EncodedPush) -> None:
        """The client has been told all that it missed until this push; more is missed yet."""
        number = None if push.push_id is None else self._logs.number_of(push.push_id)
        if number is not None:
            self.left_at = number

    def found_client(self) -> None:
        """The client has got what it missed and hears everything again."""
        self.answered = True
        self.away = False

    def missed(self, offset: str | None) -> list[EncodedPush] | None:
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

    def told_since(
        self, offset: str | None, *, seconds: float = TOLD_BEFORE_S, at_most: int = TOLD_BEFORE_MAX
    ) -> list[str]:
        """Ids of the pushes that the client got shortly before this one and with it, as far as they are known."""
        number = self._number_of(offset)
        told = [] if offset is None else [offset]
        if isinstance(self.past, RecoveryState):
            told = self.past.told_since(offset)
        if number is None:
            return told
        # Not from the beginning: a log of a whole family of rooms is long, and a crowd may come at once.
        recent = self._entries_after(self._logs.number_before(number, seconds))
        for entry in sorted(recent, key=lambda entry: entry.number, reverse=True):
            if len(told) >= at_most:
                break
            if entry.number <= number and entry.push is not None and entry.push.push_id is not None:
                told.append(entry.push.push_id)
        return told

    def knows(self, push_id: str) -> bool:
        return self._logs.number_of(push_id) is not None or (self.past is not None and self.past.knows(push_id))

    def _number_of(self, offset: str | None) -> int | None:
        """After which entry the client's knowledge ends."""
        if offset == self.last:
            return self.left_at if self.away else self._logs.last
        if offset is None:
            return self.start if self.past is None else None
        number = self._logs.number_of(offset)
        # An older one is of an earlier session: clients repeat it when their last recovery was refused.
        return number if number is not None and number > self.start else None

    def _since(self, number: int) -> list[EncodedPush] | None:
        if number < self._logs.evicted:
            return None
        entries = list(self._entries_after(number))
        pushes = [entry.push for entry in sorted(entries, key=lambda entry: entry.number) if entry.push is not None]
        return pushes if len(pushes) == len(entries) else None

    def _entries_after(self, number: int) -> Iterator[LogEntry]:
        """This session's entries and the marks of resync_notifier in its logs, in no order."""
        yield from self._read(self.own_key, number, None)
        families: dict[str, int] = {}
        for room, joined in self.positions.items():
            after = max(number, joined)
            yield from self._read(room, after, None)
            family, _, person = room.rpartition(":")
            if family and person.isdecimal() and len(person) < 20:
                key = family_key(family)
                yield from self._read(key, after, pack_ids([int(person)]))
                families[key] = min(after, families.get(key, after))
        for after in families.values():
            yield from self._read(family_key("*"), after, None)

    def _read(self, key: str, number: int, person: bytes | None) -> Iterator[LogEntry]:
        for entry in self._logs.newest_first(key):
            if entry.number <= number:
                return
            if entry.push is None or (
                entry.push.namespace == self.namespace
                and (person is None or (entry.people is not None and contains_id(entry.people, person)))
            ):
                yield entry

"""What it takes to resume one session: its position in the logs of this node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from realtime.contract.packed_ids import contains_id, pack_ids
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.replay_log import LogEntry, ReplayLogs, family_key
from realtime.engine.replay.withdrawals import Withdrawals

NOTHING_SENT = object()
RECENT_S = 10.0
RECENT_MAX = 500
"""How far back a session that moves to another node remembers which pushes it was sent; no node delivers later."""


class EarlierPushes(Protocol):
    """What was for a session before it came to this node."""

    def missed(self, offset: str | None) -> Sequence[EncodedPush] | None:
        """The pushes that follow the one of this id; None when that is not known."""

    def includes(self, push_id: str) -> bool:
        """Whether the push was for the session then, so that it must not be sent again."""


class CarriedPushes:
    """The pushes that another node had for the session after the push `base`, in order; `sent` are ids of older ones
    that the client has.
    """

    __slots__ = ("_base", "_ids", "_pushes")

    def __init__(self, base: str | None, pushes: Sequence[EncodedPush], sent: Iterable[str]) -> None:
        self._base = base
        self._pushes = pushes
        self._ids = frozenset(sent).union(push.push_id for push in pushes if push.push_id is not None)

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

    def includes(self, push_id: str) -> bool:
        return push_id in self._ids

    def export(self, withdrawals: Withdrawals) -> list[Any]:
        return [self._base, [export_push(push, withdrawals) for push in self._pushes], list(self._ids)]

    @staticmethod
    def restore(namespace: str, exported: Sequence[Any], withdrawals: Withdrawals) -> CarriedPushes:
        base, pushes, ids = exported
        return CarriedPushes(base, [restore_push(namespace, push, withdrawals) for push in pushes], ids)


def export_push(push: EncodedPush, withdrawals: Withdrawals) -> list[Any]:
    """A push of a known namespace for another node; see `restore_push`."""
    return [push.event, push.data, push.push_id, withdrawals.export_subjects(push.subjects)]


def restore_push(namespace: str, exported: Sequence[Any], withdrawals: Withdrawals) -> EncodedPush:
    event, data, push_id, subjects = exported
    return EncodedPush(namespace, event, data, push_id, withdrawals.restore_subjects(subjects))


class RecoveryState:
    """The position of one session that asked for recovery.

    `positions` has for each room the number of the last log entry before the session entered it. `start` is the last
    entry before the session came to this node, `last_sent` the id of the push that was written to its client last,
    `away_since` the last entry before its client was lost. `earlier` is None for a session that began on this node.
    `answered` tells whether the client knows `pid`, the private id by which it may resume the session.
    """

    __slots__ = (
        "_logs",
        "away",
        "away_since",
        "client_knows_pid",
        "earlier",
        "last_sent",
        "namespace",
        "pid",
        "positions",
        "start",
    )

    def __init__(self, pid: str, namespace: str, logs: ReplayLogs) -> None:
        self.pid = pid
        self.namespace = namespace
        self.positions: dict[str, int] = {}
        self.start = logs.last
        self.last_sent: str | object | None = None
        self.away_since = logs.last
        self.earlier: EarlierPushes | None = None
        self.client_knows_pid = False
        self.away = True
        self._logs = logs
        logs.add_reader()

    def end(self) -> None:
        """The session cannot be resumed any more."""
        self._logs.remove_reader()

    @property
    def own_key(self) -> str:
        """The log of the pushes to this one session."""
        return f"session:{self.pid}"

    @property
    def carried_bytes(self) -> int:
        """Bytes of push data that are kept with the session itself and not in logs."""
        if isinstance(self.earlier, RecoveryState):
            return self.earlier.carried_bytes
        return self.earlier.size_bytes if isinstance(self.earlier, CarriedPushes) else 0

    @property
    def is_evicted(self) -> bool:
        """True when the logs no longer reach back to what a client that is away, or catches up, was sent last."""
        return self.away and self._logs.evicted > self.away_since

    def join(self, room: str) -> None:
        self.positions[room] = self._logs.last

    def leave(self, room: str) -> None:
        self.positions.pop(room, None)

    def is_duplicate(self, push: EncodedPush) -> bool:
        """Whether the client was sent this push by another node, or is sent it as one that it missed there."""
        if self.earlier is None or push.push_id is None:
            return False
        if self._logs.evicted > self.start:
            self.earlier = None
            return False
        return self.earlier.includes(push.push_id)

    def log_push(self, event: str, data: bytes) -> EncodedPush:
        """Makes and logs a push to this one session."""
        push = EncodedPush(self.namespace, event, data, self._logs.push_ids.make())
        self._logs.append(self.own_key, push)
        return push

    def continue_from(self, earlier: EarlierPushes) -> None:
        """The session was on another node before."""
        self.earlier = earlier
        self.last_sent = NOTHING_SENT

    def trim_earlier(self, offset: str | None) -> None:
        """Keeps of another node's logs only what the client, which resumes from `offset`, may ask for again."""
        earlier = self.earlier
        if isinstance(earlier, RecoveryState) and (missed := earlier.missed(offset)) is not None:
            self.earlier = CarriedPushes(offset, missed, earlier.recently_sent(offset))

    def export(self, number_of: Callable[[ReplayLogs], int]) -> dict[str, Any]:
        """The position in these logs, for a node that gets copies of them; see `restore`.

        `number_of` gives the logs a number, by which `restore` finds their copies.
        """
        earlier = self.earlier
        return {
            "pid": self.pid,
            "logs": number_of(self._logs),
            "positions": self.positions,
            "start": self.start,
            "last_sent": self.last_sent if self.last_sent is not NOTHING_SENT else False,
            "away_since": self.away_since if self.away else self._logs.last,
            "carried": earlier.export(self._logs.withdrawals) if isinstance(earlier, CarriedPushes) else None,
            "earlier": earlier.export(number_of) if isinstance(earlier, RecoveryState) else None,
        }

    @staticmethod
    def restore(namespace: str, logs: Sequence[ReplayLogs], exported: Mapping[str, Any]) -> RecoveryState:
        """The state that another node exported, over the copies of its logs."""
        recovery_state = RecoveryState(exported["pid"], namespace, logs[exported["logs"]])
        recovery_state.positions = dict(exported["positions"])
        recovery_state.start = exported["start"]
        recovery_state.last_sent = NOTHING_SENT if exported["last_sent"] is False else exported["last_sent"]
        recovery_state.away_since = exported["away_since"]
        if exported["carried"] is not None:
            withdrawals = recovery_state._logs.withdrawals
            recovery_state.earlier = CarriedPushes.restore(namespace, exported["carried"], withdrawals)
        elif exported["earlier"] is not None:
            recovery_state.earlier = RecoveryState.restore(namespace, logs, exported["earlier"])
        return recovery_state

    def mark_away(self) -> None:
        """The client is lost: it misses all pushes from now on."""
        self.away_since = self._logs.last
        self.away = True

    def mark_sent_until(self, push: EncodedPush) -> None:
        """The client was sent what it missed up to this push; it is sent the rest later."""
        number = None if push.push_id is None else self._logs.number_of(push.push_id)
        if number is not None:
            self.away_since = number

    def mark_caught_up(self) -> None:
        """The client was sent all that it missed, and is sent every push from now on."""
        self.client_knows_pid = True
        self.away = False

    def to_replay(self, offset: str | None, user_id: int | None) -> list[EncodedPush] | None:
        """What this user is sent of `missed`: for pushes that tell of something withdrawn a `resync` of their scope."""
        missed = self.missed(offset)
        return None if missed is None else self._logs.withdrawals.replace_withdrawn(missed, user_id)

    def missed(self, offset: str | None) -> list[EncodedPush] | None:
        """All pushes that the client has not got, in order; `offset` is the id of the last one that it has, None: none.

        None when one of them is not known any more: then nothing may be replayed.
        """
        if self.earlier is not None:
            before = self.earlier.missed(offset)
            if before is not None:
                since = self._since(self.start)
                if since is None:
                    return None
                includes = self.earlier.includes
                return [*before, *(push for push in since if push.push_id is None or not includes(push.push_id))]
        number = self._number_of(offset)
        return None if number is None else self._since(number)

    def recently_sent(self, offset: str | None, *, within_s: float = RECENT_S, at_most: int = RECENT_MAX) -> list[str]:
        """Ids of the push `offset` and of those that the client got shortly before it, as far as they are known."""
        number = self._number_of(offset)
        ids = [] if offset is None else [offset]
        if isinstance(self.earlier, RecoveryState):
            ids = self.earlier.recently_sent(offset)
        if number is None:
            return ids
        # Not from the beginning: the log of a family of rooms is long, and thousands of clients may ask at once.
        recent = self._entries_after(self._logs.number_before(number, within_s))
        for entry in sorted(recent, key=lambda entry: entry.number, reverse=True):
            if len(ids) >= at_most:
                break
            if entry.number <= number and entry.push is not None and entry.push.push_id is not None:
                ids.append(entry.push.push_id)
        return ids

    def includes(self, push_id: str) -> bool:
        return self._logs.number_of(push_id) is not None or (
            self.earlier is not None and self.earlier.includes(push_id)
        )

    def _number_of(self, offset: str | None) -> int | None:
        """The number of the last log entry that a client with this offset knows; None when it is not known."""
        if offset == self.last_sent:
            return self.away_since if self.away else self._logs.last
        if offset is None:
            return self.start if self.earlier is None else None
        number = self._logs.number_of(offset)
        # An older one is of an earlier session: clients repeat it when their last recovery was refused.
        return number if number is not None and number > self.start else None

    def _since(self, number: int) -> list[EncodedPush] | None:
        self._logs.evict()
        if number < self._logs.evicted:
            return None
        entries = list(self._entries_after(number))
        pushes = [entry.push for entry in sorted(entries, key=lambda entry: entry.number) if entry.push is not None]
        return pushes if len(pushes) == len(entries) else None

    def _entries_after(self, number: int) -> Iterator[LogEntry]:
        """This session's log entries, and the marks of gaps in its logs, in no order."""
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

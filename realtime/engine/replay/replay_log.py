"""The pushes that this node has received lately, so that a resumed session can be sent what it missed."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.replay.push_ids import PushIds
from realtime.engine.replay.withdrawals import Withdrawals

ENTRY_OVERHEAD_BYTES = 600
"""Memory that an entry takes beside its data."""
SUBJECT_BYTES = 150
FORMS_OF_DATA = 3
"""The data itself, and the encodings of it that are kept with the push."""


class LogEntry:
    """One push that this node received, or, where `push` is None, the mark of a gap.

    `people` are packed user ids where the push was for some members of a family of rooms, else None.
    """

    __slots__ = ("at_s", "key", "number", "people", "push", "size_bytes")

    def __init__(self, number: int, at_s: float, key: str, push: EncodedPush | None, people: bytes | None) -> None:
        self.number = number
        self.at_s = at_s
        self.key = key
        self.push = push
        self.people = people
        self.size_bytes = ENTRY_OVERHEAD_BYTES + len(people or b"")
        if push is not None:
            self.size_bytes += len(push.data) * FORMS_OF_DATA
            if push.subjects is not None:
                self.size_bytes += len(push.subjects.named) * SUBJECT_BYTES


def family_key(family: str) -> str:
    """The key of pushes to many rooms `family:<id>` at once, which are logged once for all of them."""
    return f"{family}:*"


class ReplayLogs:
    """A log for each room or family of rooms; all entries are numbered together, in the order in which they came.

    Entries are kept for `keep_s` seconds and at most `max_bytes` of them; `evicted` is the number of the last one that
    was dropped. Nothing is kept while there is no reader, a session that may be resumed. `withdrawals` say which may
    not be replayed; logs that another node exported share those of this node.
    """

    def __init__(
        self,
        *,
        keep_s: float,
        max_bytes: int,
        now_s: Callable[[], float],
        withdrawals: Withdrawals | None = None,
    ) -> None:
        self._keep_s = keep_s
        self._max_bytes = max_bytes
        self._now_s = now_s
        self._entries: deque[LogEntry] = deque()
        self._by_key: dict[str, deque[LogEntry]] = {}
        self._numbers: dict[str, int] = {}
        self._size_bytes = 0
        self._reader_count = 0
        self.push_ids = PushIds()
        self.withdrawals = Withdrawals(keep_s=keep_s, now_s=now_s) if withdrawals is None else withdrawals
        self.last = 0
        self.evicted = 0

    @property
    def size_bytes(self) -> int:
        """Size of all entries, as it is counted against `max_bytes`."""
        return self._size_bytes

    def add_reader(self) -> None:
        """A session may be replayed pushes from now on."""
        self._reader_count += 1

    def remove_reader(self) -> None:
        """Takes one `add_reader` back; with the last one all entries are dropped."""
        self._reader_count -= 1
        if not self._reader_count:
            self._entries.clear()
            self._by_key.clear()
            self._numbers.clear()
            self._size_bytes = 0
            self.evicted = self.last

    def append(self, key: str, push: EncodedPush, people: bytes | None = None) -> bool:
        """Logs a push that can be replayed. False: it was received before and must not be delivered again."""
        if push.push_id is None or not self._reader_count:
            return True
        if push.push_id in self._numbers:
            return False
        self._add(key, push, people)
        self._numbers[push.push_id] = self.last
        return True

    def interrupt(self, key: str) -> None:
        """Pushes of this log may have been lost: no session can be resumed from a position before now."""
        if not self._reader_count:
            return
        for entry in self._by_key.pop(key, ()):
            if entry.push is not None and entry.push.push_id is not None:
                self._numbers.pop(entry.push.push_id, None)
            # The emptied entry stays, so that entries are evicted in the order of their numbers.
            self._size_bytes -= entry.size_bytes
            entry.push, entry.people, entry.size_bytes = None, None, 0
        self._add(key, None, None)

    def interrupt_families(self) -> None:
        """Pushes to families of rooms may have been lost: interrupts all their logs."""
        if self._reader_count:
            for key in [key for key in self._by_key if key.endswith(":*")]:
                self.interrupt(key)
            self._add(family_key("*"), None, None)

    def number_of(self, push_id: str) -> int | None:
        """The number of the entry of a push; None when it is in no log."""
        self.evict()
        return self._numbers.get(push_id)

    def number_before(self, number: int, seconds: float) -> int:
        """The number of the last entry that was received more than `seconds` before this one."""
        self.evict()
        entries = self._entries
        if not entries:
            return self.evicted
        first = entries[0].number
        at_s = entries[min(max(number - first, 0), len(entries) - 1)].at_s
        return first + bisect_left(entries, at_s - seconds, key=lambda entry: entry.at_s) - 1

    def newest_first(self, key: str) -> Iterator[LogEntry]:
        """The entries of one log; call `evict` first: what is withdrawn is known for as long as entries are kept."""
        return reversed(self._by_key.get(key, ()))

    def evict(self) -> None:
        """Drops the entries that are too old or too much."""
        oldest_s = self._now_s() - self._keep_s
        entries = self._entries
        while entries and (entries[0].at_s < oldest_s or self._size_bytes > self._max_bytes):
            entry = entries.popleft()
            self.evicted = entry.number
            self._size_bytes -= entry.size_bytes
            if entry.push is not None and entry.push.push_id is not None:
                self._numbers.pop(entry.push.push_id, None)
            of_key = self._by_key.get(entry.key)
            if of_key and of_key[0] is entry:
                of_key.popleft()
                if not of_key:
                    del self._by_key[entry.key]

    def entries(self) -> Sequence[LogEntry]:
        """A snapshot of all entries, oldest first."""
        self.evict()
        return tuple(self._entries)

    def export(self, max_bytes: int) -> tuple[list[Any], int]:
        """The newest entries for another node, of at most `max_bytes`, and their size in bytes; see `restore`."""
        kept: list[LogEntry] = []
        size_bytes, evicted = 0, self.evicted
        for entry in reversed(self.entries()):
            if size_bytes + entry.size_bytes > max_bytes:
                evicted = entry.number
                break
            size_bytes += entry.size_bytes
            kept.append(entry)
        return [evicted, self.last, [self._write(entry) for entry in reversed(kept)]], size_bytes

    def restore(self, exported: Sequence[Any]) -> ReplayLogs:
        """Logs with the bounds of these and the entries that another node exported."""
        evicted, last, entries = exported
        withdrawals = self.withdrawals
        logs = ReplayLogs(keep_s=self._keep_s, max_bytes=self._max_bytes, now_s=self._now_s, withdrawals=withdrawals)
        logs.evicted = evicted
        for number, key, people, written in entries:
            logs.last = number - 1
            push = None
            if written is not None:
                namespace, event, data, push_id, subjects = written
                push = EncodedPush(namespace, event, data, push_id, withdrawals.restore_subjects(subjects))
            logs._add(key, push, people)
            if push is not None and push.push_id is not None:
                logs._numbers[push.push_id] = number
        logs.last = last
        return logs

    def _add(self, key: str, push: EncodedPush | None, people: bytes | None) -> None:
        self.last += 1
        entry = LogEntry(self.last, self._now_s(), key, push, people)
        self._entries.append(entry)
        self._by_key.setdefault(key, deque()).append(entry)
        self._size_bytes += entry.size_bytes
        self.evict()

    def _write(self, entry: LogEntry) -> list[Any]:
        push, written = entry.push, None
        if push is not None:
            subjects = self.withdrawals.export_subjects(push.subjects)
            written = [push.namespace, push.event, push.data, push.push_id, subjects]
        return [entry.number, entry.key, entry.people, written]

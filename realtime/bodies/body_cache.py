"""Keeps encoded objects, so that each is encoded once for all who read it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from sys import getsizeof
from typing import Final

ENTRY_BYTES: Final = 320
"""What an entry takes beside its body: the key, the numbers in it, and its place in the order."""


class BodyCache:
    """Bodies by key, at most `max_bytes` of them with what it takes to keep them; the least recently used go first.

    A key must name one state of an object for ever, as an id with the stamp of its last change does: then no body is
    ever out of date, and nothing has to be removed when an object changes.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bodies: OrderedDict[Hashable, bytes] = OrderedDict()
        self.used_bytes = 0
        self.hits = 0
        self.misses = 0
        self.evictions = 0

    def __len__(self) -> int:
        return len(self._bodies)

    def get(self, key: Hashable) -> bytes | None:
        body = self._bodies.get(key)
        if body is None:
            self.misses += 1
        else:
            self.hits += 1
            self._bodies.move_to_end(key)
        return body

    def get_many(self, keys: Sequence[Hashable]) -> list[bytes | None]:
        """A body or None for each key, in their order."""
        found = list(map(self._bodies.get, keys))
        for key, body in zip(keys, found, strict=True):
            if body is not None:
                self._bodies.move_to_end(key)
        misses = found.count(None)
        self.misses += misses
        self.hits += len(found) - misses
        return found

    def put(self, key: Hashable, body: bytes) -> None:
        """Keeps a body. One that is larger than the whole cache is not kept."""
        taken = ENTRY_BYTES + getsizeof(body)
        if key in self._bodies or taken > self._max_bytes:
            return
        self._bodies[key] = body
        self.used_bytes += taken
        while self.used_bytes > self._max_bytes:
            _, oldest = self._bodies.popitem(last=False)
            self.used_bytes -= ENTRY_BYTES + getsizeof(oldest)
            self.evictions += 1

"""Remembers clients that were disconnected because they read too slowly, so that they can be told when they return."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

from realtime.contract.errors import CLOSE_SLOW_CONSUMER

MAX_STALLED: Final = 10_000


class StalledClients:
    """The slow consumers of one node: a close frame could not reach them.

    A client is known by whatever key it shows when it returns. At most MAX_STALLED are remembered; the oldest go first.
    """

    def __init__(self) -> None:
        self._keys: dict[Hashable, None] = {}

    def add(self, key: Hashable) -> None:
        self._keys[key] = None
        if len(self._keys) > MAX_STALLED:
            del self._keys[next(iter(self._keys))]

    def discard(self, key: Hashable) -> None:
        self._keys.pop(key, None)

    def take_close_code(self, key: Hashable) -> int | None:
        """The close code that this client was not told, once; None where it was not disconnected as slow."""
        if key not in self._keys:
            return None
        del self._keys[key]
        return CLOSE_SLOW_CONSUMER.code

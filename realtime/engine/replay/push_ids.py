"""Ids of pushes, unique over all nodes and times."""

from __future__ import annotations

import itertools
import secrets


class PushIds:
    """Ids of the pushes that one node publishes: short strings, no two alike, in no order."""

    def __init__(self) -> None:
        # Not the node's id: a node that restarts under its old id must not repeat ids.
        self._prefix = secrets.token_urlsafe(6)
        self._numbers = itertools.count()

    def make(self) -> str:
        return f"{self._prefix}.{next(self._numbers):x}"

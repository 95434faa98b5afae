"""Where a client of events stands: its sessions in all namespaces, and the last push that it has of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Position(NamedTuple):
    """A client's position in one namespace: its private id there, and the last push that it has; None: none yet."""

    pid: str
    offset: str | None


def write_cursor(positions: Sequence[Position]) -> str:
    return "~".join(f"{position.pid}~{position.offset or ''}" for position in positions)


def read_cursor(cursor: str, count: int) -> Sequence[Position] | None:
    """The positions in `count` namespaces; None when it is no cursor of that many."""
    parts = cursor.split("~")
    if len(parts) != 2 * count:
        return None
    return [Position(pid, offset or None) for pid, offset in zip(parts[::2], parts[1::2], strict=True)]


def moved(positions: Mapping[str, Position], offsets: Mapping[str, str]) -> list[Position]:
    """The positions after the last replayable push of each namespace."""
    return [Position(at.pid, offsets.get(namespace, at.offset)) for namespace, at in positions.items()]

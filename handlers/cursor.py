"""The cursor of `sync:pull` and the position of `feed:sync`: how far a client has come in each Collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import orjson
from pydantic import JsonValue

from handlers.ports import CursorSeal
from realtime.contract.errors import INVALID_PAYLOAD, CommandError
from sql.ids import UserId

_VERSION: Final = 2

CURSOR_CHARS: Final = 4_096
MAX_AGE_MS: Final = 30 * 86_400_000
"""A day less than what is gone is remembered."""


class UnfinishedRead(NamedTuple):
    """A read whose next page is asked for by `resume`."""

    since: int | None
    resume: JsonValue


class Progress(NamedTuple):
    """How far a client has come in a Collection.

    Everything stamped below `position`, which was read at `read_at_ms` in this `history` of the database, has reached
    it, or will have after the `unfinished` read.
    """

    position: int
    history: int
    read_at_ms: int
    unfinished: UnfinishedRead | None = None


LOST: Final = Progress(0, -1, 0)
"""Of no history, so that the client reads anew."""


def reaches(held: Progress, here: Progress) -> bool:
    """Whether what changed between `held` and the present can be told.

    It cannot be told after too long a time, or where the two are of different histories of the database.
    """
    return held.history == here.history and here.read_at_ms - held.read_at_ms <= MAX_AGE_MS


def write_cursor(progress: Mapping[str, Progress], user_id: UserId, seal: CursorSeal) -> str:
    parts: list[list[JsonValue]] = []
    names: dict[Progress, list[JsonValue]] = {}
    for name, one in progress.items():
        *place, unfinished = one
        if unfinished is not None:
            parts.append([*place, [name], *unfinished])
        elif (known := names.get(one)) is not None:
            known.append(name)  # most are as far as the others
        else:
            names[one] = [name]
            parts.append([*place, names[one]])
    return seal.seal(orjson.dumps([_VERSION, user_id, parts]))


def read_cursor(text: str, user_id: UserId, seal: CursorSeal, *, field: str = "cursor") -> dict[str, Progress] | None:
    """None for a cursor of another version of the server: the client reads everything anew.

    Raises CommandError `invalid_payload`, for the field of this name, for any text that was not made for this user.
    """
    sealed = seal.open(text)
    if sealed is not None:
        version, owner_id, parts = orjson.loads(sealed)
        if owner_id == user_id:
            return _read_parts(parts) if version == _VERSION else None
    raise CommandError(INVALID_PAYLOAD, fields={field: "must be one that was made for this account"})


def _read_parts(parts: Iterable[Sequence[Any]]) -> dict[str, Progress]:
    progress: dict[str, Progress] = {}
    for position, history, read_at_ms, names, *unfinished in parts:
        one = Progress(position, history, read_at_ms, UnfinishedRead(*unfinished) if unfinished else None)
        progress |= dict.fromkeys(names, one)
    return progress

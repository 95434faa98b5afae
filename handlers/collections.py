"""Collections with the operations that read them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, JsonValue

from handlers.context import Context
from realtime.contract.collections import COLLECTION_CHANGED, Collection, CollectionChanged
from realtime.contract.declarations import ModelT
from realtime.contract.emissions import Emission, ToRoom, emission
from realtime.contract.encoded import Encoded
from realtime.pubsub.room_names import person_room
from sql.ids import UserId
from sql.sync import SyncPeekRow


class ReadFrom(NamedTuple):
    """From where a Collection is read for a client.

    `since`: everything stamped at or above it; None: nothing is there yet, the first screen. `resume` is what the page
    before this one answered, None for the first page. `limit` is the most items of a list, or None for the default.
    """

    since: int | None
    resume: JsonValue
    limit: int


class ChangedItems(NamedTuple):
    """A page of what changed: items as they are now, and ids of what is gone or not the reader's to see any more.

    `is_reset`: the client has to read the Collection anew; `reset_ids`: only these parts of it. `resume`: there is
    another page, read by it; it is carried by the client's cursor, which nobody else can make or change.
    """

    upserts: Sequence[BaseModel | Encoded[Any]] = ()
    removed: Sequence[str] = ()
    is_reset: bool = False
    reset_ids: Sequence[str] = ()
    resume: JsonValue = None


RESET = ChangedItems(is_reset=True)


@dataclass(frozen=True, slots=True)
class BoundCollection:
    """A Collection with its reading.

    `is_changed` tells from one cheap read for all Collections whether there can be anything; `read` is bounded: one
    page takes a few statements, however much there is.
    """

    collection: Collection[Any]
    is_changed: Callable[[SyncPeekRow], bool]
    read: Callable[[Context, ReadFrom], Awaitable[ChangedItems]]


def collection_changed(
    collection: Collection[ModelT], user_id: UserId, *, upserts: Sequence[ModelT] = (), removed: Sequence[str] = ()
) -> Emission:
    """Tells all devices of a user what changed in one of their Collections."""
    data = CollectionChanged(
        name=collection.name,
        upserts=[item.model_dump(mode="json", exclude_none=True) for item in upserts],
        removed=list(removed),
    )
    return emission(COLLECTION_CHANGED, data, ToRoom(person_room(user_id)))

"""Declarations of Collections: what a client may hold of the server's state, and is kept up to date by `sync:pull`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic

from realtime.contract.declarations import EVERY_NAMESPACE, ModelT, Push
from realtime.contract.wire import Model


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Collection(Generic[ModelT]):
    """Items that a client keeps by their ids: pushes and `sync:pull` bring them to what a fresh read would show.

    `holds` and `read_anew` are sentences for the documents: which items these are, and how a client reads all of them
    again after a `reset`. `id_of` is the id by which an item is kept and `removed`. A Collection whose changes no other
    push tells is `told_to_devices` by `collection:changed`.
    """

    name: str
    item: type[ModelT]
    id_of: Callable[[ModelT], str]
    holds: str
    read_anew: str
    told_to_devices: bool = False


class CollectionChanged(Model):
    """Items that are new or changed, each as it is now, and the ids of those that are gone."""

    name: str
    upserts: list[dict[str, Any]]
    removed: list[str]


COLLECTION_CHANGED = Push(
    name="collection:changed",
    namespace="/users",
    also_in=(EVERY_NAMESPACE,),
    model=CollectionChanged,
    audience="All devices of the user whose Collection changed, for Collections without pushes of their own.",
)

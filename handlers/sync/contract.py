"""The command `sync:pull`.

Without a cursor it answers the first screen of each Collection, with one what changed since, however long ago that was.
The cursor of the answer is for the next call. Apply `upserts` by id, keep the newer version of two, take out `removed`;
read a Collection anew that is `reset`, and keep what you have until it is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, Literal

from pydantic import BaseModel, Field, create_model

from handlers.cursor import CURSOR_CHARS
from realtime.contract.collections import Collection
from realtime.contract.declarations import Command, ModelT, Repeat, Route
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Model, PageLimit, Payload

NAMESPACE = "/users"
PULL_BYTES = 64 * 1_024
"""A cursor is of ASCII, so a character is never many bytes."""


class PullPayload(Payload):
    """`collections`: only these; absent: those of the cursor, without one all. `limit` is of the lists of a page."""

    cursor: Annotated[str, Field(min_length=1, max_length=CURSOR_CHARS)] | None = None
    limit: PageLimit | None = None


class CollectionChanges(Model, Generic[ModelT]):
    """`upserts` are as they are now; `removed`: deleted, or not the caller's to see any more.

    `reset`: read this Collection anew. `reset_ids`: only these parts of it.
    """

    upserts: list[ModelT]
    removed: list[str]
    reset: bool | None = None
    reset_ids: list[str] | None = None


class PullAnswer(Model):
    """`changes` has the Collections with something new. While there is `more`, pull again with this cursor."""

    changes: Any
    cursor: str
    more: bool


def pull_command(collections: Sequence[Collection[Any]]) -> Command[Any, Any]:
    """`sync:pull` for these Collections."""
    names = tuple(collection.name for collection in collections)
    name: Any = Literal[names]
    chosen: Any = Annotated[list[name], Field(min_length=1, max_length=len(names))] | None
    payload = create_model("Pull", __base__=PullPayload, __doc__=PullPayload.__doc__, collections=(chosen, None))
    fields: dict[str, Any] = {collection.name: (_changes_of(collection.item), None) for collection in collections}
    changes = create_model("PulledChanges", __base__=Model, **fields)
    ack = create_model("PullAck", __base__=PullAnswer, __doc__=PullAnswer.__doc__, changes=(changes, ...))
    return Command(
        name="sync:pull",
        namespace=NAMESPACE,
        any_namespace=True,
        payload=payload,
        ack=ack,
        effect=(
            "Reads what changed in the caller's Collections since a cursor, whatever was missed; without a cursor, "
            "the first screen of each."
        ),
        repeat=Repeat.READ,
        takes_bytes=PULL_BYTES,
        rate=RateLimit(240, 60),
        example={"collections": list(names[:1])},
        routes=(Route("POST", "/sync"),),
    )


def _changes_of(item: type[BaseModel]) -> Any:
    return CollectionChanges[item] | None  # type: ignore[valid-type]  # known at run time only

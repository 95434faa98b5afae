"""The Collection of what a user has decided about others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from handlers.collections import RESET, ChangedItems, ReadFrom, collection_changed
from handlers.context import Context
from handlers.people.contract import RELATIONS
from handlers.people.models import Relation
from handlers.people.views import relation_view
from realtime.contract.emissions import Emission
from sql.graph import RelatedRow
from sql.ids import MAX_ID, UserId
from sql.people import RelationRow

ITEMS_MAX = 1_000
"""Of a page, whatever its limit is: an item is small, and a user may follow thousands."""


async def read_relations(ctx: Context, start: ReadFrom) -> ChangedItems:
    """All relations by the ids of the users, or those that changed in the order of their changes."""
    if start.since is None:
        return await _all_relations(ctx, start)
    return await _changed_relations(ctx, start.since, start)


async def relation_told(ctx: Context, user_id: UserId, other_id: UserId) -> Emission:
    """Tells the devices of a user what their relation to another one is now, after a change of it."""
    return _told(user_id, other_id, await ctx.db.graph.read_related(viewer_id=user_id, other_id=other_id))


async def follow_told(ctx: Context, other_id: UserId, earlier: RelationRow, *, following: bool) -> Emission:
    """The same where the caller has just begun or ended to follow; nothing is read where that was all between them."""
    if earlier.mutes:
        return await relation_told(ctx, ctx.user_id, other_id)
    now = RelatedRow(
        user_id=other_id,
        following=following,
        blocked=earlier.blocks,
        muted=False,
        muted_until=None,
        requested=earlier.requested and not following,
    )
    return _told(ctx.user_id, other_id, now)


def _told(user_id: UserId, other_id: UserId, row: RelatedRow) -> Emission:
    relation = relation_view(row)
    if relation is None:
        return collection_changed(RELATIONS, user_id, removed=[str(other_id)])
    return collection_changed(RELATIONS, user_id, upserts=[relation])


async def _all_relations(ctx: Context, start: ReadFrom) -> ChangedItems:
    after = 0 if start.resume is None else cast("int", start.resume)
    rows = await ctx.db.graph.list_relations(viewer_id=ctx.user_id, after=UserId(after), page_size=ITEMS_MAX)
    resume = rows[-1].user_id if len(rows) == ITEMS_MAX else None
    return ChangedItems(upserts=_shown(rows), resume=resume)


async def _changed_relations(ctx: Context, since: int, start: ReadFrom) -> ChangedItems:
    stamp, other_id = [since - 1, MAX_ID] if start.resume is None else cast("list[int]", start.resume)
    rows = await ctx.db.graph.list_relation_changes(
        viewer_id=ctx.user_id, after_stamp=stamp, after_id=UserId(other_id), page_size=ITEMS_MAX
    )
    if any(row.is_reset for row in rows):
        return RESET
    changed = [row.relation for row in rows if row.relation is not None]
    return ChangedItems(
        upserts=_shown(changed),
        removed=[str(row.user_id) for row in changed if relation_view(row) is None],
        resume=[rows[-1].changed, changed[-1].user_id] if len(rows) == ITEMS_MAX else None,
    )


def _shown(rows: Sequence[RelatedRow]) -> list[Relation]:
    return [relation for row in rows if (relation := relation_view(row)) is not None]

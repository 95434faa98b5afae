"""The stored list of a home feed, or a substitute for it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import Final, cast

from handlers.context import PrepareContext
from handlers.cursor import Progress
from handlers.feed.consumers import FEED_FANOUT
from realtime.contract.wire import unix_ms
from realtime.redis.client import StoreUnavailable
from sql.ids import MAX_ID, PostId


@dataclass(frozen=True, slots=True)
class HomeList:
    """Ids of posts in one user's home feed, newest first. It has every id above `floor`; SQL has the rest.

    Where the user's list version is another one now it lacks posts, and counts for nothing. None: always.
    """

    ids: list[PostId]
    floor: PostId
    list_version: int | None

    def part(self, before: int, count: int) -> HomeList:
        """The newest `count` ids below `before`; SQL has those after them too."""
        first = bisect_left(self.ids, True, key=lambda post_id: post_id < before)
        ids = self.ids[first : first + count]
        is_all = first + count >= len(self.ids)
        return HomeList(ids, self.floor if is_all else max(self.floor, ids[-1]), self.list_version)


ALL_FROM_SQL = HomeList([], PostId(MAX_ID), None)

_SPARE_IDS_MIN: Final = 5
_ROWS_PER_SPARE_ID: Final = 4
"""A page gets more ids than it needs rows, one for so many of them: some may be of posts that are gone."""


async def read_list_position(ctx: PrepareContext) -> Progress:
    """How far a reader comes with a list that is read from now on; later posts may be on their way."""
    fact_names = [handler.fact.name for handler in FEED_FANOUT.handlers]
    here = await ctx.reads.feed.read_list_position(consumer=FEED_FANOUT.name, fact_names=fact_names)
    return Progress(here.position, here.history, unix_ms(ctx.now()))


async def read_home_list(ctx: PrepareContext, *, before: int, rows: int) -> HomeList:
    """What a page of so many rows needs of the caller's list; where there is none it is built now. While another call
    builds it, or Redis is away, the whole page is read from SQL instead of waiting.
    """
    count = rows + max(_SPARE_IDS_MIN, rows // _ROWS_PER_SPARE_ID)
    try:
        kept = await ctx.services.feeds.read(ctx.user_id, below=before, count=count)
        if kept is not None:
            return HomeList(cast("list[PostId]", kept.ids), PostId(kept.floor), kept.version)
        return (await _build(ctx)).part(before, count)
    except StoreUnavailable:
        ctx.services.meter.count("feed_pages_without_store", 1)
        return ALL_FROM_SQL


async def _build(ctx: PrepareContext) -> HomeList:
    feeds, user_id = ctx.services.feeds, ctx.user_id
    # From here on pushes are added to the list, so posts committed after the read below are not lost.
    token = await feeds.begin_rebuild(user_id)
    if token is None:
        return ALL_FROM_SQL
    max_ids = ctx.services.policy.feed_list_max
    # Read before the ids: a list that lacks posts of a follow committed meanwhile must have the earlier version.
    version = await ctx.reads.feed.read_list_version(viewer_id=user_id) or 0
    ids = await ctx.reads.feed.home_ids(viewer_id=user_id, id_limit=max_ids)
    # A list that is not full has every post.
    built = HomeList(ids, ids[-1] if len(ids) == max_ids else PostId(0), version)
    await feeds.finish_rebuild(user_id, token, built.ids, built.floor, version=version)
    return built

"""The kept list of a home feed, or what stands in for it."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.context import PrepareContext
from realtime.redis.client import StoreUnavailable
from sql.ids import MAX_ID, PostId


@dataclass(frozen=True, slots=True)
class HomeList:
    """Ids of posts pushed to one person, newest first. Every one above `floor` is there; SQL knows the rest."""

    ids: list[PostId]
    floor: PostId


ALL_FROM_SQL = HomeList([], PostId(MAX_ID))


async def home_list(ctx: PrepareContext) -> HomeList:
    """The caller's list; where there is none it is built now. Never waits for another builder nor for a lost Redis: SQL
    answers the page then.
    """
    try:
        kept = await ctx.services.feeds.read(ctx.user_id)
        if kept is not None:
            return HomeList([PostId(post_id) for post_id in kept.ids], PostId(kept.floor))
        return await _build(ctx)
    except StoreUnavailable:
        ctx.services.meter.count("feed_pages_without_store", 1)
        return ALL_FROM_SQL


async def _build(ctx: PrepareContext) -> HomeList:
    feeds, user_id = ctx.services.feeds, ctx.user_id
    # Pushes land in the list from here on, so what is committed after the rows below were read is not lost.
    token = await feeds.begin_rebuild(user_id)
    if token is None:
        return ALL_FROM_SQL
    longest = ctx.services.policy.feed_list_max
    async with ctx.read() as db:
        ids = await db.feed.home_ids(viewer_id=user_id, id_limit=longest)
    # A list that is not full holds everything there is.
    built = HomeList(ids, ids[-1] if len(ids) == longest else PostId(0))
    await feeds.finish_rebuild(user_id, token, built.ids, built.floor)
    return built

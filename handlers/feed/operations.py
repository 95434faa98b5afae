"""The use cases of the home feed. They use Redis before the unit opens; the unit then runs one statement."""

from __future__ import annotations

import datetime
from typing import Final, NamedTuple

from handlers.context import Call, Context, Outcome, PrepareContext
from handlers.feed.contract import (
    SYNC_ITEMS_MAX,
    SYNC_WINDOW_DAYS,
    TOPIC,
    FeedSnapshot,
    MissedPosts,
    ReadFeed,
    SubscribeFeed,
    SyncFeed,
)
from handlers.feed.home_list import HomeList, read_home_list
from handlers.feed.position import position_at, sync_floor
from handlers.paging import cut_page, rows_wanted
from handlers.posts.models import Post
from handlers.posts.views import post_view
from realtime.contract.errors import FORBIDDEN, CommandError
from realtime.contract.wire import NOTHING, Empty, Nothing, Page, unix_ms
from sql.ids import MAX_ID, PostId

_IDS_PER_ROW: Final = 2
"""How many ids of the list are given to SQL for each row that a page needs: some may be of posts that are gone."""
_SYNC_WINDOW: Final = datetime.timedelta(days=SYNC_WINDOW_DAYS)


class FeedSubscription(NamedTuple):
    """A caller who gets `feed:new` since `position` at the latest."""

    position: str
    home: HomeList


async def start_subscription(ctx: PrepareContext, command: SubscribeFeed) -> FeedSubscription:
    """In this order, every post after the position is pushed, or is in the list, or both."""
    _require_live_session(ctx)
    position = position_at(ctx.now())
    await ctx.session.subscribe(TOPIC)
    return FeedSubscription(position, await read_home_list(ctx))


async def subscribe(ctx: Context, command: SubscribeFeed, subscription: FeedSubscription) -> Outcome[FeedSnapshot]:
    page = await _home_page(ctx, subscription.home, before=MAX_ID, skip=0, limit=command.limit)
    return Outcome(FeedSnapshot(items=page.items, next_cursor=page.next_cursor, position=subscription.position))


async def unsubscribe(call: Call, command: Empty) -> Outcome[Nothing]:
    _require_live_session(call)
    await call.session.unsubscribe(TOPIC)
    return Outcome(NOTHING)


async def load_home_list(ctx: PrepareContext, command: ReadFeed) -> HomeList:
    return await read_home_list(ctx)


async def read_page(ctx: Context, command: ReadFeed, home: HomeList) -> Outcome[Page[Post]]:
    before = MAX_ID if command.before is None else command.before
    return Outcome(await _home_page(ctx, home, before=before, skip=command.offset or 0, limit=command.limit))


async def sync(ctx: Context, command: SyncFeed) -> Outcome[MissedPosts]:
    now = ctx.now()
    position_ms, oldest_ms = command.after, unix_ms(now - _SYNC_WINDOW)
    rows = await ctx.db.feed.home_since(
        viewer_id=ctx.user_id,
        after=PostId(sync_floor(max(position_ms, oldest_ms))),
        page_size=SYNC_ITEMS_MAX + 1,
    )
    return Outcome(
        MissedPosts(
            items=[post_view(row) for row in rows[:SYNC_ITEMS_MAX]],
            position=position_at(now),
            truncated=len(rows) > SYNC_ITEMS_MAX or position_ms < oldest_ms,
        )
    )


async def _home_page(ctx: Context, home: HomeList, *, before: int, skip: int, limit: int | None) -> Page[Post]:
    wanted = limit or ctx.services.policy.feed_page_default
    page_size = rows_wanted(wanted)
    part = home.part(before, _IDS_PER_ROW * (skip + page_size))
    rows = await ctx.db.feed.home_page(
        viewer_id=ctx.user_id,
        ids=part.ids,
        version=part.follow_version,
        floor=part.floor,
        before=PostId(before),
        skip=skip,
        page_size=page_size,
    )
    shown, next_cursor = cut_page(rows, wanted, lambda row: row.id)
    return Page(items=[post_view(row) for row in shown], next_cursor=next_cursor)


def _require_live_session(call: Call) -> None:
    if not call.session.is_live:
        raise CommandError(FORBIDDEN, "Only a live connection can subscribe to the feed: read pages of it instead.")

"""The use cases of the home feed. They use Redis before the unit opens; the unit then runs one statement."""

from __future__ import annotations

from typing import Final, NamedTuple

from handlers.context import Call, Context, Outcome, PrepareContext
from handlers.feed.contract import TOPIC, FeedSnapshot, ReadFeed, SubscribeFeed
from handlers.feed.home_list import ALL_FROM_SQL, HomeList, read_home_list, read_list_position
from handlers.feed.position import write_position
from handlers.paging import cut_page, rows_wanted
from handlers.posts.bodies import posts_json
from handlers.posts.models import Post, PostPage
from realtime.contract.encoded import Encoded, encoded_page, json_of
from realtime.contract.errors import FORBIDDEN, CommandError
from realtime.contract.wire import NOTHING, Empty, Nothing
from sql.ids import MAX_ID, PostId

_SPARE_IDS_MIN: Final = 5
_ROWS_PER_SPARE_ID: Final = 4
"""A page gets more ids of the list than it needs rows, one for so many of them: some may be of posts that are gone."""


class FeedSubscription(NamedTuple):
    """A caller who gets `feed:new`, with a list that has all posts below `position`."""

    position: str
    home: HomeList


async def start_subscription(ctx: PrepareContext, command: SubscribeFeed) -> FeedSubscription:
    """In this order, every post that is not in the list is pushed, or `feed:sync` reads it from the position."""
    _require_live_session(ctx)
    position = write_position(ctx, await read_list_position(ctx))
    await ctx.session.subscribe(TOPIC)
    return FeedSubscription(position, await read_home_list(ctx))


async def subscribe(
    ctx: Context, command: SubscribeFeed, subscription: FeedSubscription
) -> Outcome[Encoded[FeedSnapshot]]:
    items, next_cursor = await _home_page(ctx, subscription.home, before=MAX_ID, skip=0, limit=command.limit)
    return Outcome(encoded_page(FeedSnapshot, items, next_cursor, position=json_of(subscription.position)))


async def unsubscribe(call: Call, command: Empty) -> Outcome[Nothing]:
    _require_live_session(call)
    await call.session.unsubscribe(TOPIC)
    return Outcome(NOTHING)


async def load_home_list(ctx: PrepareContext, command: ReadFeed) -> HomeList:
    return await read_home_list(ctx)


async def read_page(ctx: Context, command: ReadFeed, home: HomeList) -> Outcome[Encoded[PostPage]]:
    before = MAX_ID if command.before is None else command.before
    page = await _home_page(ctx, home, before=before, skip=command.offset or 0, limit=command.limit)
    return Outcome(encoded_page(PostPage, *page))


async def newest_posts(ctx: Context, limit: int) -> list[Encoded[Post]]:
    """The newest page, complete as of this read: a list may lack what its consumer has not put there yet."""
    items, _ = await _home_page(ctx, ALL_FROM_SQL, before=MAX_ID, skip=0, limit=limit)
    return [Encoded(item) for item in items]


async def _home_page(
    ctx: Context, home: HomeList, *, before: int, skip: int, limit: int | None
) -> tuple[list[bytes], str | None]:
    """The posts of a page as JSON, and the cursor of the next one."""
    wanted = limit or ctx.services.policy.feed_page_default
    page_size = rows_wanted(wanted)
    part = home.part(before, _ids_for(skip + page_size))
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
    return await posts_json(ctx, shown), next_cursor


def _ids_for(rows: int) -> int:
    return rows + max(_SPARE_IDS_MIN, rows // _ROWS_PER_SPARE_ID)


def _require_live_session(call: Call) -> None:
    if not call.session.is_live:
        raise CommandError(FORBIDDEN, "Only a live connection can subscribe to the feed: read pages of it instead.")

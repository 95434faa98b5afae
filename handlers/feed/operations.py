"""The use cases of the home feed. They use Redis before the unit opens; the unit then runs one statement."""

from __future__ import annotations

from typing import Final, NamedTuple

from handlers.context import Call, Context, Outcome, PrepareContext
from handlers.feed.contract import TOPIC, FeedSnapshot, ReadFeed, SubscribeFeed
from handlers.feed.home_list import ALL_FROM_SQL, HomeList, read_home_list, read_list_position
from handlers.feed.position import write_position
from handlers.paging import cut_page, rows_wanted
from handlers.posts.bodies import posts_json
from handlers.posts.models import PostPage
from realtime.contract.encoded import Encoded, encoded_page, json_of
from realtime.contract.errors import FORBIDDEN, CommandError
from realtime.contract.wire import NOTHING, Empty, Nothing
from sql.feed import HomePostRow
from sql.ids import MAX_ID, PostId
from sql.posts import PostStateRow

REFILL_ROWS: Final = 100
REFILLS_MAX: Final = 5
"""A page is filled up with posts below it where words hide some of its own; where they hide as many in a row as this
reads, the page stays short, and its cursor leads on.
"""


class FeedPart(NamedTuple):
    """What a page shows: at most `limit` posts below `before`, after the skipped ones."""

    before: PostId
    skip: int
    limit: int

    @property
    def rows(self) -> int:
        """How many posts have to be found for it."""
        return self.skip + rows_wanted(self.limit)


class FeedSubscription(NamedTuple):
    """A caller who gets `feed:new`, with a list that has all posts below `position`."""

    position: str
    home: HomeList


async def start_subscription(ctx: PrepareContext, command: SubscribeFeed) -> FeedSubscription:
    """In this order, every post that is not in the list is pushed, or `feed:sync` reads it from the position."""
    _require_live_session(ctx)
    position = write_position(ctx, await read_list_position(ctx))
    await ctx.session.subscribe(TOPIC)
    return FeedSubscription(position, await _read_list(ctx, _newest(ctx, command.limit)))


async def subscribe(
    ctx: Context, command: SubscribeFeed, subscription: FeedSubscription
) -> Outcome[Encoded[FeedSnapshot]]:
    items, next_cursor = await _home_page(ctx, _newest(ctx, command.limit), subscription.home)
    return Outcome(encoded_page(FeedSnapshot, items, next_cursor, position=json_of(subscription.position)))


async def unsubscribe(call: Call, command: Empty) -> Outcome[Nothing]:
    _require_live_session(call)
    await call.session.unsubscribe(TOPIC)
    return Outcome(NOTHING)


async def load_home_list(ctx: PrepareContext, command: ReadFeed) -> HomeList:
    return await _read_list(ctx, _asked(ctx, command))


async def read_page(ctx: Context, command: ReadFeed, home: HomeList) -> Outcome[Encoded[PostPage]]:
    return Outcome(encoded_page(PostPage, *await _home_page(ctx, _asked(ctx, command), home)))


async def newest_posts(ctx: Context, limit: int) -> list[bytes]:
    """JSON of the newest page, complete as of this read: a list may lack what its consumer has not put there yet."""
    items, _ = await _home_page(ctx, _newest(ctx, limit), ALL_FROM_SQL)
    return items


def _newest(call: Call, limit: int | None) -> FeedPart:
    return FeedPart(PostId(MAX_ID), 0, limit or call.services.policy.feed_page_default)


def _asked(call: Call, command: ReadFeed) -> FeedPart:
    newest = _newest(call, command.limit)
    before = newest.before if command.before is None else PostId(command.before)
    return newest._replace(before=before, skip=command.offset or 0)


async def _read_list(ctx: PrepareContext, part: FeedPart) -> HomeList:
    return await read_home_list(ctx, before=part.before, rows=part.rows)


async def _home_page(ctx: Context, part: FeedPart, home: HomeList) -> tuple[list[bytes], str | None]:
    """The posts of a page as JSON, and the cursor of the next one."""
    wanted = rows_wanted(part.limit)
    rows = await _read_rows(ctx, part, home, wanted)
    shown, is_end = _shown(rows), len(rows) < wanted
    for _ in range(REFILLS_MAX):
        if is_end or len(shown) >= wanted:
            break
        rows = await _read_rows(ctx, part._replace(before=rows[-1].post.id, skip=0), home, REFILL_ROWS)
        shown, is_end = shown + _shown(rows), len(rows) < REFILL_ROWS
    page, next_cursor = cut_page(shown, part.limit, lambda post: post.id)
    if next_cursor is None and not is_end:
        next_cursor = str(rows[-1].post.id)
    return await posts_json(ctx, page), next_cursor


async def _read_rows(ctx: Context, part: FeedPart, home: HomeList, page_size: int) -> list[HomePostRow]:
    return await ctx.db.feed.home_page(
        viewer_id=ctx.user_id,
        ids=home.ids,
        version=home.list_version,
        floor=home.floor,
        before=part.before,
        skip=part.skip,
        page_size=page_size,
    )


def _shown(rows: list[HomePostRow]) -> list[PostStateRow]:
    return [row.post for row in rows if not row.is_hidden]


def _require_live_session(call: Call) -> None:
    if not call.session.is_live:
        raise CommandError(FORBIDDEN, "Only a live connection can subscribe to the feed: read pages of it instead.")

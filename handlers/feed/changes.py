"""What happened to a home feed since a position: for `feed:sync`, and as a Collection."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from handlers.collections import RESET, ChangedItems, ReadFrom
from handlers.context import Context, Outcome
from handlers.cursor import Progress, reaches
from handlers.feed.contract import CHANGED_BYTES_MAX, CHANGED_POSTS_MAX, ChangedPosts, SyncFeed
from handlers.feed.operations import newest_posts
from handlers.feed.position import read_position, write_position
from handlers.posts.bodies import posts_json
from handlers.posts.models import Post
from realtime.contract.encoded import Encoded, encoded, json_list, json_of
from realtime.contract.wire import unix_ms
from sql.feed import ChangedPostRow


async def read_feed(ctx: Context, start: ReadFrom) -> ChangedItems:
    """The newest page, as far as it is not too large, or all that has changed."""
    if start.since is None:
        newest = await newest_posts(ctx, start.limit)
        return ChangedItems(upserts=_encoded(newest[: _count_within_bytes(newest)]))
    rows = await _changed_rows(ctx, start.since)
    seen = None if _is_reset(rows) else await _seen(ctx, rows)
    if seen is None:
        return RESET
    return ChangedItems(upserts=_encoded(seen), removed=_removed(rows))


async def sync(ctx: Context, command: SyncFeed) -> Outcome[Encoded[ChangedPosts]]:
    held = read_position(ctx, command.after)
    rows = await _changed_rows(ctx, held.position)
    here = Progress(rows[0].position, rows[0].history, unix_ms(ctx.now()))
    position = json_of(write_position(ctx, here))
    is_reset = _is_reset(rows) or not reaches(held, here)
    seen = None if is_reset else await _seen(ctx, rows)
    if seen is None:
        nothing = json_list(())
        return Outcome(encoded(ChangedPosts, items=nothing, removed=nothing, position=position, reset=json_of(True)))
    items, removed = json_list(seen), json_of(_removed(rows))
    return Outcome(encoded(ChangedPosts, items=items, removed=removed, position=position))


async def _changed_rows(ctx: Context, since: int) -> list[ChangedPostRow]:
    return await ctx.db.feed.changed_posts(viewer_id=ctx.user_id, since=since, page_size=CHANGED_POSTS_MAX + 1)


def _is_reset(rows: list[ChangedPostRow]) -> bool:
    return rows[0].is_reset or len(rows) > CHANGED_POSTS_MAX


async def _seen(ctx: Context, rows: list[ChangedPostRow]) -> list[bytes] | None:
    """JSON of what the caller sees, newest first; None where that is too large.

    What is hidden since these rows were read is left out: the next read, from their position, tells it.
    """
    states = sorted((row.post for row in rows if row.post is not None), key=lambda state: state.id, reverse=True)
    seen = await posts_json(ctx, states)
    return seen if _count_within_bytes(seen) == len(seen) else None


def _count_within_bytes(posts: list[bytes]) -> int:
    """How many of these, from the first on, are not too large together."""
    return bisect_right(list(accumulate(map(len, posts))), CHANGED_BYTES_MAX)


def _encoded(posts: list[bytes]) -> list[Encoded[Post]]:
    return [Encoded(post) for post in posts]


def _removed(rows: list[ChangedPostRow]) -> list[str]:
    return [str(row.post_id) for row in rows if row.post is None and row.post_id is not None]

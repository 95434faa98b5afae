"""What happened to a home feed since a position: for `feed:sync`, and as a Collection."""

from __future__ import annotations

from handlers.collections import RESET, ChangedItems, ReadFrom
from handlers.context import Context, Outcome
from handlers.cursor import reaches
from handlers.feed.contract import CHANGED_POSTS_MAX, ChangedPosts, SyncFeed
from handlers.feed.operations import newest_posts
from handlers.feed.position import read_position, write_position
from handlers.posts.models import Post
from handlers.posts.views import post_view
from realtime.contract.wire import unix_ms
from sql.feed import ChangedPostRow
from sql.ids import PostId


async def read_feed(ctx: Context, start: ReadFrom) -> ChangedItems:
    """The newest page, or all that has changed."""
    if start.since is None:
        return ChangedItems(upserts=await newest_posts(ctx, start.limit))
    rows = await _changed_rows(ctx, start.since)
    if _is_reset(rows):
        return RESET
    posts, removed = _divided(rows)
    return ChangedItems(upserts=posts, removed=[str(post_id) for post_id in removed])


async def sync(ctx: Context, command: SyncFeed) -> Outcome[ChangedPosts]:
    held = read_position(ctx, command.after)
    rows = await _changed_rows(ctx, held.position)
    here = rows[0].position
    position = write_position(ctx, here)
    if _is_reset(rows) or not reaches(held, here, unix_ms(ctx.now())):
        return Outcome(ChangedPosts(items=[], removed=[], position=position, reset=True))
    posts, removed = _divided(rows)
    return Outcome(ChangedPosts(items=posts, removed=removed, position=position))


async def _changed_rows(ctx: Context, since: int) -> list[ChangedPostRow]:
    return await ctx.db.feed.changed_posts(viewer_id=ctx.user_id, since=since, page_size=CHANGED_POSTS_MAX + 1)


def _is_reset(rows: list[ChangedPostRow]) -> bool:
    return rows[0].is_reset or len(rows) > CHANGED_POSTS_MAX


def _divided(rows: list[ChangedPostRow]) -> tuple[list[Post], list[PostId]]:
    """What the caller sees, newest first, and what is gone or hidden."""
    seen = sorted((row.post for row in rows if row.post is not None), key=lambda post: post.id, reverse=True)
    removed = [row.post_id for row in rows if row.post is None and row.post_id is not None]
    return [post_view(row) for row in seen], removed

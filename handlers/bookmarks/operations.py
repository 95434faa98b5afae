"""The use cases of bookmarks, and the reading of their Collection."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate

from handlers.access import may_see_content, require_visible
from handlers.bookmarks.contract import (
    BOOKMARKS,
    CHANGED_BOOKMARKS_MAX,
    CHANGED_BYTES_MAX,
    Bookmark,
    BookmarkAdded,
    BookmarkRemoved,
    ListBookmarks,
)
from handlers.bookmarks.views import bookmarks_json
from handlers.collections import RESET, ChangedItems, ReadFrom, collection_changed
from handlers.context import Context, Outcome
from handlers.paging import cut_page, rows_wanted
from handlers.posts.bodies import post_json
from handlers.posts.contract import NamedPost
from handlers.posts.models import Post
from realtime.contract.encoded import Encoded, encoded_page
from realtime.contract.errors import NOT_FOUND, CommandError
from realtime.contract.wire import Page
from sql.ids import MAX_ID, BookmarkId, PostId
from sql.posts import PostRow


async def add_bookmark(ctx: Context, cmd: NamedPost) -> Outcome[BookmarkAdded]:
    post_id = PostId(cmd.post_id)
    post = await _visible_post(ctx, post_id)
    bookmark_id = await ctx.db.bookmarks.insert_bookmark(user_id=ctx.user_id, post_id=post_id)
    ack = BookmarkAdded(post_id=post_id)
    if bookmark_id is None:
        return Outcome(ack)
    json = await post_json(ctx, post._replace(viewer_bookmarked=True))
    bookmark = Bookmark(id=bookmark_id, post=Post.model_validate_json(json))
    return Outcome(ack, pushes=(collection_changed(BOOKMARKS, ctx.user_id, upserts=[bookmark]),))


async def remove_bookmark(ctx: Context, cmd: NamedPost) -> Outcome[BookmarkRemoved]:
    """Needs no access to the post: a bookmark can be removed after a block, an unfollow or a deletion."""
    post_id = PostId(cmd.post_id)
    was_there = await ctx.db.bookmarks.remove_bookmark(user_id=ctx.user_id, post_id=post_id)
    told = (collection_changed(BOOKMARKS, ctx.user_id, removed=[str(post_id)]),) if was_there else ()
    return Outcome(BookmarkRemoved(post_id=post_id), pushes=told)


async def list_bookmarks(ctx: Context, cmd: ListBookmarks) -> Outcome[Encoded[Page[Bookmark]]]:
    rows = await ctx.db.bookmarks.list_bookmarks(
        viewer_id=ctx.user_id,
        before=BookmarkId(MAX_ID if cmd.before is None else cmd.before),
        page_size=rows_wanted(cmd.limit),
    )
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.id)
    items = [bookmark.json for bookmark in await bookmarks_json(ctx, shown)]
    return Outcome(encoded_page(Page[Bookmark], items, next_cursor))


async def read_bookmarks(ctx: Context, start: ReadFrom) -> ChangedItems:
    """The newest bookmarks, as far as they are not too large, or all that have changed."""
    if start.since is None:
        rows = await ctx.db.bookmarks.list_bookmarks(
            viewer_id=ctx.user_id, before=BookmarkId(MAX_ID), page_size=start.limit
        )
        newest = await bookmarks_json(ctx, rows)
        return ChangedItems(upserts=newest[: _count_within_bytes(newest)])
    changed = await ctx.db.bookmarks.changed_bookmarks(
        viewer_id=ctx.user_id, since=start.since, page_size=CHANGED_BOOKMARKS_MAX + 1
    )
    if len(changed) > CHANGED_BOOKMARKS_MAX or any(row.is_reset for row in changed):
        return RESET
    kept = sorted((row.bookmark for row in changed if row.bookmark is not None), key=lambda row: row.id, reverse=True)
    # What is hidden since these rows were read is left out: the next read tells it.
    seen = await bookmarks_json(ctx, kept)
    if _count_within_bytes(seen) < len(seen):
        return RESET
    return ChangedItems(
        upserts=seen,
        removed=[str(row.post_id) for row in changed if row.bookmark is None],
    )


def _count_within_bytes(bookmarks: list[Encoded[Bookmark]]) -> int:
    """How many of these, from the first on, are not too large together."""
    return bisect_right(list(accumulate(len(bookmark.json) for bookmark in bookmarks)), CHANGED_BYTES_MAX)


async def _visible_post(ctx: Context, post_id: PostId) -> PostRow:
    """Reads a post. Raises `not_found` where the caller may not see it."""
    row = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=post_id)
    if row is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_content(row.viewer, row.visibility))
    return row

"""Makes bookmarks from rows, with their posts as the reader gets them."""

from __future__ import annotations

from collections.abc import Sequence

from handlers.bookmarks.contract import Bookmark
from handlers.context import Context
from handlers.posts.bodies import each_post_json
from realtime.contract.encoded import Encoded, encoded, json_of
from sql.bookmarks import BookmarkRow


async def bookmarks_json(ctx: Context, rows: Sequence[BookmarkRow]) -> list[Encoded[Bookmark]]:
    """JSON of these bookmarks in their order; one whose post the caller does not see any more is left out."""
    posts = await each_post_json(ctx, [row.post for row in rows])
    return [
        encoded(Bookmark, id=json_of(str(row.id)), post=post)
        for row, post in zip(rows, posts, strict=True)
        if post is not None
    ]

"""Makes the wire model of posts from rows."""

from __future__ import annotations

from handlers.people.views import card_view
from handlers.posts.entities import mentions_of, tags_of, urls_of
from handlers.posts.models import Post, PostViewer
from realtime.contract.wire import unix_ms
from sql.posts import PostRow


def post_view(row: PostRow) -> Post:
    """A post as the viewer of this row gets it."""
    return _post(row, PostViewer(liked=row.viewer_liked, bookmarked=row.viewer_bookmarked))


def pushed_post_view(row: PostRow) -> Post:
    """A post as a push has it: nothing in it depends on the reader."""
    return _post(row, None)


def _post(row: PostRow, viewer: PostViewer | None) -> Post:
    return Post(
        id=row.id,
        version=row.version,
        author=card_view(row.author),
        kind=row.kind,
        text=row.text,
        link=row.link,
        visibility=row.visibility,
        tags=tags_of(row.entities),
        mentions=mentions_of(row.entities),
        links=urls_of(row.entities),
        like_count=row.like_count,
        comment_count=row.comment_count,
        share_count=row.share_count,
        created_at_ms=unix_ms(row.created_at),
        edited_at_ms=None if row.edited_at is None else unix_ms(row.edited_at),
        viewer=viewer,
    )

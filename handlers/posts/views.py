"""Posts as SQL tells them, as the wire shows them."""

from __future__ import annotations

from handlers.people.views import user_view
from handlers.posts.models import Post, PostViewer
from realtime.contract.wire import unix_ms
from sql.posts import PostRow


def post_view(row: PostRow) -> Post:
    """A post as the reader of this row gets it."""
    return Post(
        id=row.id,
        author=user_view(row.author, row.viewer),
        kind=row.kind,
        text=row.text,
        link=row.link,
        visibility=row.visibility,
        like_count=row.like_count,
        comment_count=row.comment_count,
        share_count=row.share_count,
        created_at_ms=unix_ms(row.created_at),
        edited_at_ms=None if row.edited_at is None else unix_ms(row.edited_at),
        viewer=PostViewer(liked=row.viewer_liked),
    )


def without_viewer(post: Post) -> Post:
    """The same post as it may stand in a push: nothing in it depends on the reader."""
    return post.model_copy(update={"viewer": None, "author": post.author.model_copy(update={"viewer": None})})

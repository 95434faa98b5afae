"""Comments as SQL tells them, as the wire shows them."""

from __future__ import annotations

from handlers.comments.contract import Comment
from handlers.people.views import user_view
from realtime.contract.wire import unix_ms
from sql.comments import CommentRow


def comment_view(row: CommentRow) -> Comment:
    """A comment as the reader of this row gets it; of a deleted one only its place is left."""
    return Comment(
        id=row.id,
        post_id=row.post_id,
        parent_id=row.parent_id,
        author=user_view(row.author, row.viewer),
        text="" if row.is_deleted else row.text,
        like_count=row.like_count,
        reply_count=row.reply_count,
        created_at_ms=unix_ms(row.created_at),
        deleted=True if row.is_deleted else None,
    )

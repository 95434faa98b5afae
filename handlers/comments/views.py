"""Makes the wire model of comments from rows."""

from __future__ import annotations

from handlers.comments.contract import Comment
from handlers.people.views import card_view
from realtime.contract.wire import unix_ms
from sql.comments import CommentRow


def comment_view(row: CommentRow) -> Comment:
    """A comment, the same for every reader. A deleted one has no text and no author."""
    return Comment(
        id=row.id,
        post_id=row.post_id,
        parent_id=row.parent_id,
        author=None if row.is_deleted else card_view(row.author),
        text=row.text,
        like_count=row.like_count,
        reply_count=row.reply_count,
        created_at_ms=unix_ms(row.created_at),
        deleted=True if row.is_deleted else None,
    )

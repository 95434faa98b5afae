"""Makes the wire model of comments from rows."""

from __future__ import annotations

from handlers.comments.contract import Comment, CommentViewer
from handlers.people.views import card_view
from realtime.contract.wire import unix_ms
from sql.comments import CommentRow


def comment_view(row: CommentRow) -> Comment:
    """A comment as the viewer of this row gets it. A deleted one has no text and no author."""
    return _comment(row, CommentViewer(liked=row.viewer_liked))


def pushed_comment_view(row: CommentRow) -> Comment:
    """A comment as a push has it: nothing in it depends on the reader."""
    return _comment(row, None)


def _comment(row: CommentRow, viewer: CommentViewer | None) -> Comment:
    return Comment(
        id=row.id,
        version=row.version,
        post_id=row.post_id,
        parent_id=row.parent_id,
        author=None if row.is_deleted else card_view(row.author),
        text=row.text,
        like_count=row.like_count,
        reply_count=row.reply_count,
        created_at_ms=unix_ms(row.created_at),
        edited_at_ms=None if row.edited_at is None else unix_ms(row.edited_at),
        deleted=True if row.is_deleted else None,
        viewer=viewer,
    )

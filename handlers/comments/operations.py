"""The use cases of comments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from handlers.access import (
    may_delete_comment,
    may_see_comment,
    may_see_content,
    require_allowed,
    require_visible,
)
from handlers.comments.contract import (
    COMMENT_CREATED,
    COMMENT_DELETED,
    COMMENT_UPDATED,
    HIDDEN_FROM_MAX,
    NAMESPACE,
    Comment,
    CommentAck,
    CommentRemoved,
    CreateComment,
    LikeCommentAck,
    ListComments,
    NamedComment,
    UnlikeCommentAck,
    UpdateComment,
)
from handlers.comments.views import comment_view, pushed_comment_view
from handlers.context import Context, Outcome
from handlers.paging import cut_page, rows_wanted
from handlers.posts.rooms import post_room, post_scope
from handlers.subjects import comment_subject, words_subject
from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.declarations import Push, Subject
from realtime.contract.emissions import Emission, ToRoom, Withdraw, emission
from realtime.contract.errors import CONFLICT, NOT_FOUND, CommandError
from realtime.contract.wire import NOTHING, Model, Nothing, Page
from sql.comments import CommentRow
from sql.ids import MAX_ID, CommentId, PostId, UserId
from sql.posts import PostRow


async def create_comment(ctx: Context, cmd: CreateComment) -> Outcome[CommentAck]:
    post = await _read_post(ctx, PostId(cmd.post_id))
    require_visible(may_see_content(post.viewer, post.visibility))
    made = None
    if post.viewer_may_comment and await _may_reply(ctx, cmd):
        made = await ctx.db.comments.insert_comment(
            post_id=post.id,
            parent_id=None if cmd.parent_id is None else CommentId(cmd.parent_id),
            author_id=ctx.user_id,
            text=cmd.text,
            client_id=cmd.client_id,
            id_limit=HIDDEN_FROM_MAX + 1,
        )
    if made is None:
        # A retry finds its comment even if it could not be created now: its parent was deleted since, or fewer people
        # may comment.
        return Outcome(CommentAck(comment=comment_view(await _earlier_comment(ctx, cmd, post))))
    told = CommentAck(comment=pushed_comment_view(made.comment))
    about = (words_subject(made.filters_position),)
    return Outcome(
        CommentAck(comment=comment_view(made.comment)),
        pushes=(_to_watchers(post, made.hidden_from, COMMENT_CREATED, told, about),),
    )


async def list_comments(ctx: Context, cmd: ListComments) -> Outcome[Page[Comment]]:
    post = await _read_post(ctx, PostId(cmd.post_id))
    require_visible(may_see_content(post.viewer, post.visibility))
    before = CommentId(MAX_ID if cmd.before is None else cmd.before)
    page_size = rows_wanted(cmd.limit)
    if cmd.parent_id is None:
        rows = await ctx.db.comments.list_comments(
            viewer_id=ctx.user_id, post_id=post.id, before=before, page_size=page_size
        )
    else:
        parent = await _read_comment(ctx, CommentId(cmd.parent_id))
        require_visible(parent.post_id == post.id and _is_shown(parent))
        rows = await ctx.db.comments.list_replies(
            viewer_id=ctx.user_id,
            post_id=post.id,
            parent_id=parent.id,
            before=before,
            page_size=page_size,
        )
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.id)
    return Outcome(Page[Comment](items=[comment_view(row) for row in shown], next_cursor=next_cursor))


async def update_comment(ctx: Context, cmd: UpdateComment) -> Outcome[CommentAck]:
    comment_id = CommentId(cmd.comment_id)
    post, before = await _visible_comment(ctx, comment_id)
    require_allowed(before.viewer.is_self)
    updated = await ctx.db.comments.update_comment(comment_id=comment_id, author_id=ctx.user_id, text=cmd.text)
    if updated is None:
        raise CommandError(NOT_FOUND)
    row = await _read_comment(ctx, comment_id)
    # Also where nothing changed: the node that changed it may have died before it said so.
    subject = comment_subject(comment_id, updated.version)
    withdrawn = Withdraw(subject.name, subject.version)
    ack = CommentAck(comment=comment_view(row))
    if not updated.changed:
        return Outcome(ack, signals=(withdrawn,))
    left_out = await ctx.db.comments.left_out(comment_id=comment_id, id_limit=HIDDEN_FROM_MAX + 1)
    if left_out is None:
        raise CommandError(NOT_FOUND)
    told = CommentAck(comment=pushed_comment_view(row))
    about = (words_subject(left_out.filters_position),)
    push = _to_watchers(post, left_out.hidden_from, COMMENT_UPDATED, told, about)
    return Outcome(ack, pushes=(push,), signals=(withdrawn,))


async def like_comment(ctx: Context, cmd: NamedComment) -> Outcome[LikeCommentAck]:
    comment_id = CommentId(cmd.comment_id)
    await _visible_comment(ctx, comment_id)
    row = await ctx.db.comments.set_like(comment_id=comment_id, user_id=ctx.user_id, wanted=True)
    if row is None:
        raise CommandError(NOT_FOUND)
    return Outcome(LikeCommentAck(comment_id=comment_id, like_count=row.like_count))


async def unlike_comment(ctx: Context, cmd: NamedComment) -> Outcome[UnlikeCommentAck]:
    """Needs no access to the comment: a like can be taken back whatever became of it, of its post and of its author."""
    comment_id = CommentId(cmd.comment_id)
    done = await ctx.db.comments.set_like(comment_id=comment_id, user_id=ctx.user_id, wanted=False)
    if done is None:
        return Outcome(UnlikeCommentAck(comment_id=comment_id))
    try:
        await _visible_comment(ctx, comment_id)
    except CommandError:
        return Outcome(UnlikeCommentAck(comment_id=comment_id))
    return Outcome(UnlikeCommentAck(comment_id=comment_id, like_count=done.like_count))


async def delete_comment(ctx: Context, cmd: NamedComment) -> Outcome[Nothing]:
    comment = await _read_comment(ctx, CommentId(cmd.comment_id))
    # Authors can delete their own comment even if the post is hidden from them since, or deleted.
    post = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=comment.post_id)
    if not comment.viewer.is_self:
        if post is None:
            raise CommandError(NOT_FOUND)
        if not may_delete_comment(author=comment.viewer, post_author=post.viewer):
            require_visible(may_see_content(post.viewer, post.visibility) and _is_shown(comment))
            require_allowed(False)
    pushes: tuple[Emission, ...] = ()
    if post is not None and not comment.is_deleted:
        removed = CommentRemoved(comment_id=comment.id, post_id=comment.post_id)
        hidden_from = await ctx.db.comments.hidden_from(comment_id=comment.id, id_limit=HIDDEN_FROM_MAX + 1)
        pushes = (_to_watchers(post, hidden_from, COMMENT_DELETED, removed),)
    await ctx.db.posts.lock_post(post_id=comment.post_id)
    await ctx.db.comments.delete_comment(comment_id=comment.id)
    return Outcome(NOTHING, pushes=pushes, signals=(Withdraw(comment_subject(comment.id).name),))


def _to_watchers(
    post: PostRow, hidden_from: Sequence[UserId], push: Push[Any], data: Model, also_about: tuple[Subject, ...] = ()
) -> Emission:
    """A push about a comment to those watchers of its post who may see the comment."""
    room = post_room(post.id, post.author.id, post.visibility)
    if len(hidden_from) > HIDDEN_FROM_MAX:
        return emission(RESYNC, Resync(scope=post_scope(post.id)), ToRoom(room), namespace=NAMESPACE)
    return emission(push, data, ToRoom(room, hidden_from), also_about=also_about)


async def _read_post(ctx: Context, post_id: PostId) -> PostRow:
    row = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=post_id)
    if row is None:
        raise CommandError(NOT_FOUND)
    return row


async def _read_comment(ctx: Context, comment_id: CommentId) -> CommentRow:
    row = await ctx.db.comments.read_comment(viewer_id=ctx.user_id, comment_id=comment_id)
    if row is None:
        raise CommandError(NOT_FOUND)
    return row


async def _visible_comment(ctx: Context, comment_id: CommentId) -> tuple[PostRow, CommentRow]:
    """A comment that is not deleted, with its post. Raises `not_found` where the caller may not see both."""
    comment = await _read_comment(ctx, comment_id)
    post = await _read_post(ctx, comment.post_id)
    require_visible(may_see_content(post.viewer, post.visibility))
    require_visible(may_see_comment(comment.viewer) and not comment.is_deleted)
    return post, comment


def _is_shown(comment: CommentRow) -> bool:
    """Whether a reader of the post sees the comment; a deleted one is shown while it has replies."""
    if comment.is_by_hidden and not comment.viewer.blocks:
        return comment.reply_count > 0
    return may_see_comment(comment.viewer) and (not comment.is_deleted or comment.reply_count > 0)


async def _may_reply(ctx: Context, cmd: CreateComment) -> bool:
    """Whether the caller sees the parent comment, if one is named. SQL checks that it belongs to this post."""
    if cmd.parent_id is None:
        return True
    parent = await ctx.db.comments.read_comment(viewer_id=ctx.user_id, comment_id=CommentId(cmd.parent_id))
    return parent is not None and may_see_comment(parent.viewer)


async def _earlier_comment(ctx: Context, cmd: CreateComment, post: PostRow) -> CommentRow:
    """The comment of an earlier try with this client_id. Raises `not_found` if there is none or it was deleted, or
    `forbidden` where it is the post that takes none from the caller.
    """
    found = None
    if cmd.client_id is not None:
        found = await ctx.db.comments.find_comment(author_id=ctx.user_id, client_id=cmd.client_id)
    if found is None:
        require_allowed(post.viewer_may_comment)
        raise CommandError(NOT_FOUND)
    row = await _read_comment(ctx, found)
    require_visible(not row.is_deleted)
    if (row.post_id, row.parent_id, row.text) != (cmd.post_id, cmd.parent_id, cmd.text):
        raise CommandError(CONFLICT, "This client_id was used for another comment.")
    return row

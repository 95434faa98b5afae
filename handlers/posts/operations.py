"""The use cases of posts."""

from __future__ import annotations

from handlers.access import may_see_content, may_see_person, require_allowed, require_visible
from handlers.context import Context, Outcome, RaisedFact
from handlers.paging import cut_page, rows_wanted
from handlers.people.models import User
from handlers.people.views import user_view
from handlers.posts.bodies import post_ack, posts_json
from handlers.posts.contract import (
    NAMESPACE,
    POST_CHANGED,
    POST_CREATED,
    POST_DELETED,
    POST_SHOWN,
    POST_UPDATED,
    CreatePost,
    HidePost,
    LikeAck,
    ListLikers,
    ListPosts,
    ListVersions,
    NamedPost,
    PostAck,
    PostFactData,
    PostRemoved,
    UnlikeAck,
    UpdatePost,
)
from handlers.posts.entities import entities_of
from handlers.posts.models import PRIVATE, PostPage, PostVersion
from handlers.posts.rooms import post_room, post_scope
from handlers.posts.views import chosen_visibility, post_version_view, pushed_post_view
from handlers.subjects import post_subject
from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.declarations import Fact
from realtime.contract.emissions import CloseRoom, Emission, ToRoom, Withdraw, emission
from realtime.contract.encoded import Encoded, encoded_page
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND, CommandError
from realtime.contract.wire import NOTHING, Nothing, Page
from sql.ids import MAX_ID, LikeId, PostId, UserId
from sql.posts import PostRow


async def create_post(ctx: Context, cmd: CreatePost) -> Outcome[Encoded[PostAck]]:
    row = await ctx.db.posts.insert_post(
        author_id=ctx.user_id,
        kind=cmd.implied_kind,
        text=cmd.text or "",
        link=cmd.link,
        entity_set=await entities_of(ctx, cmd.text or ""),
        visibility=cmd.visibility,
        replies_from=cmd.replies,
        sensitive=cmd.sensitive,
        poll=None if cmd.poll is None else cmd.poll.model_dump(),
        client_id=cmd.client_id,
    )
    if row is None:
        return Outcome(await post_ack(ctx, await _earlier_post(ctx, cmd)))
    stored = () if row.visibility == PRIVATE else (POST_CREATED,)
    return Outcome(await post_ack(ctx, row), stored_facts=stored)


async def show_post(ctx: Context, cmd: NamedPost) -> Outcome[Encoded[PostAck]]:
    return Outcome(await post_ack(ctx, await _visible_post(ctx, PostId(cmd.post_id))))


async def update_post(ctx: Context, cmd: UpdatePost) -> Outcome[Encoded[PostAck]]:
    post_id = PostId(cmd.post_id)
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    updated = await ctx.db.posts.update_post(
        post_id=post_id,
        author_id=ctx.user_id,
        text=cmd.text,
        entities=None if cmd.text is None else await entities_of(ctx, cmd.text),
        visibility=cmd.visibility,
        replies=cmd.replies,
        sensitive=cmd.sensitive,
    )
    row = await _visible_post(ctx, post_id)
    require_allowed(updated is not None)
    return await _told(ctx, row, None if updated is None or not updated.changed else updated.earlier_visibility)


async def hide_post(ctx: Context, cmd: HidePost) -> Outcome[Encoded[PostAck]]:
    post_id = PostId(cmd.post_id)
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    done = await ctx.db.posts.hide_post(post_id=post_id, author_id=ctx.user_id, hidden=cmd.hidden)
    row = await _visible_post(ctx, post_id)
    require_allowed(done is not None and not done.is_refused)
    return await _told(ctx, row, None if done is None or not done.changed else done.earlier_visibility)


async def delete_post(ctx: Context, cmd: NamedPost) -> Outcome[Nothing]:
    post_id = PostId(cmd.post_id)
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    await ctx.db.shares.lock_with_shared(post_id=post_id)
    deleted = await ctx.db.posts.delete_post(post_id=post_id, author_id=ctx.user_id)
    if deleted is None:
        await _visible_post(ctx, post_id)
        raise CommandError(FORBIDDEN)
    withdrawn = Withdraw(post_subject(post_id).name)
    if deleted.visibility is None:
        return Outcome(NOTHING, signals=(withdrawn,))
    await ctx.db.shares.change_shares(shared_id=post_id)
    watched = post_room(post_id, ctx.user_id, deleted.visibility)
    push = emission(POST_DELETED, PostRemoved(post_id=post_id), ToRoom(watched))
    facts = () if deleted.visibility == PRIVATE else (_fact(ctx, POST_CHANGED, post_id),)
    return Outcome(NOTHING, pushes=(push,), facts=facts, signals=(withdrawn,))


async def list_posts(ctx: Context, cmd: ListPosts) -> Outcome[Encoded[PostPage]]:
    author_id = UserId(cmd.user_id)
    rows = await ctx.db.posts.list_posts(
        viewer_id=ctx.user_id,
        author_id=author_id,
        before=PostId(MAX_ID if cmd.before is None else cmd.before),
        skip=cmd.offset or 0,
        page_size=rows_wanted(cmd.limit),
    )
    if not rows:  # the author of a visible post is visible too, so only an empty page needs the check
        author = await ctx.db.people.read_person(viewer_id=ctx.user_id, user_id=author_id)
        require_visible(author is not None and may_see_person(author.viewer))
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.id)
    return Outcome(encoded_page(PostPage, await posts_json(ctx, shown), next_cursor))


async def like_post(ctx: Context, cmd: NamedPost) -> Outcome[LikeAck]:
    post_id = PostId(cmd.post_id)
    await _visible_post(ctx, post_id)
    row = await ctx.db.posts.set_like(post_id=post_id, user_id=ctx.user_id, wanted=True)
    if row is None:
        raise CommandError(NOT_FOUND)
    return Outcome(LikeAck(post_id=post_id, liked=True, like_count=row.like_count))


async def unlike_post(ctx: Context, cmd: NamedPost) -> Outcome[UnlikeAck]:
    """Needs no access to the post: a like can be taken back after a block, an unfollow or a deletion."""
    post_id = PostId(cmd.post_id)
    await ctx.db.posts.set_like(post_id=post_id, user_id=ctx.user_id, wanted=False)
    row = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=post_id)
    if row is None or not may_see_content(row.viewer, row.visibility):
        return Outcome(UnlikeAck(post_id=post_id))
    return Outcome(UnlikeAck(post_id=post_id, like_count=row.like_count))


async def list_versions(ctx: Context, cmd: ListVersions) -> Outcome[Page[PostVersion]]:
    post_id = PostId(cmd.post_id)
    await _visible_post(ctx, post_id)
    rows = await ctx.db.posts.list_versions(
        post_id=post_id, before=MAX_ID if cmd.before is None else cmd.before, page_size=rows_wanted(cmd.limit)
    )
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.version)
    return Outcome(Page[PostVersion](items=[post_version_view(row) for row in shown], next_cursor=next_cursor))


async def list_likers(ctx: Context, cmd: ListLikers) -> Outcome[Page[User]]:
    post_id = PostId(cmd.post_id)
    await _visible_post(ctx, post_id)
    rows = await ctx.db.posts.list_likers(
        viewer_id=ctx.user_id,
        post_id=post_id,
        before=LikeId(MAX_ID if cmd.before is None else cmd.before),
        page_size=rows_wanted(cmd.limit),
    )
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.like_id)
    return Outcome(Page[User](items=[user_view(row.user, row.viewer) for row in shown], next_cursor=next_cursor))


async def _told(ctx: Context, row: PostRow, earlier_visibility: str | None) -> Outcome[Encoded[PostAck]]:
    """Answers the caller's own post, and tells its readers of a change; `earlier_visibility` None: there is none."""
    ack = await post_ack(ctx, row)
    # Also where nothing changed: the node that changed it may have died before it said so.
    subject = post_subject(row.id, row.version)
    withdrawn = Withdraw(subject.name, subject.version)
    if earlier_visibility is None:
        return Outcome(ack, signals=(withdrawn,))
    await ctx.db.shares.change_shares(shared_id=row.id)
    was_private = earlier_visibility == PRIVATE
    stays_private = was_private and row.visibility == PRIVATE
    facts = () if stays_private else (_fact(ctx, POST_SHOWN if was_private else POST_CHANGED, row.id),)
    watched = post_room(row.id, ctx.user_id, earlier_visibility)
    if row.visibility != earlier_visibility:
        # Not all of its watchers may see it now, and those who may watch it again, in another room.
        return Outcome(ack, facts=facts, signals=(withdrawn, CloseRoom(watched)))
    if row.shared_id is not None:
        # Not all of its watchers may see the shared post: they read it again.
        return Outcome(ack, pushes=(_told_to_read_again(row),), facts=facts, signals=(withdrawn,))
    push = emission(POST_UPDATED, PostAck(post=pushed_post_view(row)), ToRoom(watched))
    return Outcome(ack, pushes=(push,), facts=facts, signals=(withdrawn,))


def _told_to_read_again(row: PostRow) -> Emission:
    room = post_room(row.id, row.author.id, row.visibility)
    return emission(RESYNC, Resync(scope=post_scope(row.id)), ToRoom(room), namespace=NAMESPACE)


def _fact(ctx: Context, fact: Fact[PostFactData], post_id: PostId) -> RaisedFact:
    return RaisedFact(fact, PostFactData(post_id=post_id, author_id=ctx.user_id))


async def _visible_post(ctx: Context, post_id: PostId) -> PostRow:
    """Reads a post. Raises `not_found` where the caller may not see it."""
    row = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=post_id)
    if row is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_content(row.viewer, row.visibility))
    return row


def _asked_by(post: PostRow | CreatePost) -> tuple[list[str], bool] | None:
    return None if post.poll is None else (post.poll.options, post.poll.multiple)


async def _earlier_post(ctx: Context, cmd: CreatePost) -> PostRow:
    """The post of an earlier try with this client_id. Raises `not_found` if it was deleted since."""
    found = await ctx.db.posts.find_post(author_id=ctx.user_id, client_id=cmd.client_id or "")
    row = await _visible_post(ctx, found or PostId(0))
    # What was chosen first is not stored of an edited post.
    same = (row.kind, row.link, _asked_by(row)) == (cmd.implied_kind, cmd.link, _asked_by(cmd)) and (
        row.edited_at is not None
        or (row.text, chosen_visibility(row), row.replies, row.sensitive)
        == (cmd.text or "", cmd.visibility, cmd.replies, cmd.sensitive)
    )
    if not same:
        raise CommandError(CONFLICT, "This client_id was used for another post.")
    return row

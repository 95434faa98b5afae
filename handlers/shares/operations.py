"""The use cases of shares."""

from __future__ import annotations

from handlers.access import OPEN, may_see_content, require_allowed, require_visible
from handlers.context import Context, Outcome, RaisedFact
from handlers.posts.bodies import post_ack
from handlers.posts.contract import (
    POST_CHANGED,
    POST_CREATED,
    POST_DELETED,
    NamedPost,
    PostAck,
    PostFactData,
    PostRemoved,
)
from handlers.posts.entities import entities_of
from handlers.posts.models import PRIVATE
from handlers.posts.rooms import post_room
from handlers.shares.contract import SharePost, UnshareAck
from handlers.subjects import post_subject
from realtime.contract.declarations import Fact
from realtime.contract.emissions import ToRoom, Withdraw, emission
from realtime.contract.encoded import Encoded
from realtime.contract.errors import CONFLICT, NOT_FOUND, CommandError
from sql.ids import PostId
from sql.posts import PostRow


async def share_post(ctx: Context, cmd: SharePost) -> Outcome[Encoded[PostAck]]:
    original = await _original(ctx, PostId(cmd.post_id))
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    await ctx.db.posts.lock_post(post_id=original)
    share_id = await ctx.db.shares.insert_share(
        author_id=ctx.user_id,
        shared_id=original,
        text=cmd.text or "",
        entities=await entities_of(ctx, cmd.text or ""),
        client_id=cmd.client_id,
    )
    if share_id is None:
        return Outcome(await post_ack(ctx, await _earlier_share(ctx, cmd, original)))
    share = await _visible_post(ctx, share_id)
    return Outcome(await post_ack(ctx, share), facts=(_fact(ctx, POST_CREATED, share_id),))


async def unshare_post(ctx: Context, cmd: NamedPost) -> Outcome[UnshareAck]:
    """Needs no access to the shared post: a share can be taken back after a block or a deletion."""
    ack = UnshareAck(post_id=cmd.post_id)
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    share_id = await ctx.db.shares.find_share(author_id=ctx.user_id, post_id=PostId(cmd.post_id))
    if share_id is None:
        return Outcome(ack)
    await ctx.db.shares.lock_with_shared(post_id=share_id)
    deleted = await ctx.db.posts.delete_post(post_id=share_id, author_id=ctx.user_id)
    if deleted is None or deleted.visibility is None:
        raise RuntimeError("a share went while its author was locked")
    push = emission(
        POST_DELETED, PostRemoved(post_id=share_id), ToRoom(post_room(share_id, ctx.user_id, deleted.visibility))
    )
    facts = () if deleted.visibility == PRIVATE else (_fact(ctx, POST_CHANGED, share_id),)
    return Outcome(ack, pushes=(push,), facts=facts, signals=(Withdraw(post_subject(share_id).name),))


def _fact(ctx: Context, fact: Fact[PostFactData], post_id: PostId) -> RaisedFact:
    return RaisedFact(fact, PostFactData(post_id=post_id, author_id=ctx.user_id))


async def _original(ctx: Context, post_id: PostId) -> PostId:
    """The post itself, or the one that it shares. Raises `forbidden` where not everybody may see it."""
    post = await _visible_post(ctx, post_id)
    if post.shared_id is not None:
        post = await _visible_post(ctx, post.shared_id)
    require_allowed(post.visibility == OPEN and not post.viewer.followers_only)
    return post.id


async def _visible_post(ctx: Context, post_id: PostId) -> PostRow:
    """Reads a post. Raises `not_found` where the caller may not see it."""
    row = await ctx.db.posts.read_post(viewer_id=ctx.user_id, post_id=post_id)
    if row is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_content(row.viewer, row.visibility))
    return row


async def _earlier_share(ctx: Context, cmd: SharePost, original: PostId) -> PostRow:
    """The share of an earlier call. Raises `not_found` if it, or the shared post, was deleted or hidden since."""
    found = None
    if cmd.client_id is not None:
        found = await ctx.db.posts.find_post(author_id=ctx.user_id, client_id=cmd.client_id)
    if found is None and cmd.text is None:
        found = await ctx.db.shares.find_share(author_id=ctx.user_id, post_id=original)
    row = await _visible_post(ctx, found or PostId(0))
    # The first text of an edited share is not stored.
    if row.shared_id != original or (row.edited_at is None and row.text != (cmd.text or "")):
        raise CommandError(CONFLICT, "This client_id was used for another post.")
    return row

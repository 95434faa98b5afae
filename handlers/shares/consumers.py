"""Tells who watches a share that it shows something else now."""

from __future__ import annotations

from handlers.context import Context, Reaction
from handlers.feature import Consumer, on_each
from handlers.posts.contract import NAMESPACE, POST_CHANGED, PostFactData
from handlers.posts.rooms import post_room, post_scope
from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.emissions import ToRoom, emission
from sql.ids import PostId, UserId


async def tell_watchers(ctx: Context, changed: PostFactData) -> Reaction:
    """They read a share again, since not all of them may see the shared post."""
    post_id, author_id = PostId(changed.post_id), UserId(changed.author_id)
    post = await ctx.db.posts.read_post(viewer_id=author_id, post_id=post_id)
    if post is None or post.shared_id is None:
        return Reaction()
    room = post_room(post_id, author_id, post.visibility)
    return Reaction(pushes=(emission(RESYNC, Resync(scope=post_scope(post_id)), ToRoom(room), namespace=NAMESPACE),))


SHARE_WATCHERS = Consumer("share_watchers", (on_each(POST_CHANGED, tell_watchers),), from_now=True)

"""Tells who watches a post that its poll is closed."""

from __future__ import annotations

from handlers.context import Context, Reaction
from handlers.feature import Consumer, on_each
from handlers.polls.contract import POLL_CLOSED
from handlers.posts.contract import NAMESPACE, POST_UPDATED, PostAck, PostFactData
from handlers.posts.rooms import post_room
from handlers.posts.views import pushed_post_view
from realtime.contract.emissions import ToRoom, emission
from sql.ids import PostId, UserId


async def tell_watchers(ctx: Context, closed: PostFactData) -> Reaction:
    """Shows them the post with its results; subscribed feeds hear of it by the Fact `post.changed`."""
    post_id, author_id = PostId(closed.post_id), UserId(closed.author_id)
    post = await ctx.db.posts.read_post(viewer_id=author_id, post_id=post_id)
    if post is None:
        return Reaction()
    room = post_room(post_id, author_id, post.visibility)
    data = PostAck(post=pushed_post_view(post))
    return Reaction(pushes=(emission(POST_UPDATED, data, ToRoom(room), namespace=NAMESPACE),))


POLL_WATCHERS = Consumer("poll_watchers", (on_each(POLL_CLOSED, tell_watchers),), from_now=True)

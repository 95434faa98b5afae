"""What the home feed does about Facts: posts go into the followers' lists, and to those who look at their feed now."""

from __future__ import annotations

from handlers.context import Context, Reaction
from handlers.feature import Consumer, on
from handlers.feed.contract import FEED_NEW, TOPIC, NewPost
from handlers.feed.position import position_of
from handlers.people.contract import FOLLOW_CREATED, FollowData
from handlers.posts.contract import POST_CREATED, PostCreatedData
from handlers.posts.views import pushed_post_view
from realtime.contract.emissions import ToTopic, emission
from sql.ids import MAX_ID, FollowId, PostId, UserId

BATCH_SIZE = 1_000
"""How many followers one statement and one write of lists take."""


async def fan_out(ctx: Context, data: PostCreatedData) -> Reaction:
    """Brings a post to its author's followers, as it and they are now; a post deleted meanwhile goes nowhere."""
    post_id, author_id = PostId(data.post_id), UserId(data.author_id)
    post = await ctx.db.posts.read_post(viewer_id=author_id, post_id=post_id)
    author = await ctx.db.feed.read_author(author_id=author_id)
    if post is None or author is None or post.visibility == "private":
        return Reaction()
    if author.is_broadcaster:
        hearers = await _followers_who_listen(ctx, author_id)
    else:
        hearers = await _fill_lists(ctx, author_id, post_id)
    ctx.services.meter.count("feed_posts_fanned_out", 1)
    ctx.services.meter.count("feed_pushes_offered", len(hearers))
    news = NewPost(post=pushed_post_view(post), position=position_of(post_id))
    return Reaction(pushes=(emission(FEED_NEW, news, ToTopic(TOPIC, hearers)),) if hearers else ())


async def _fill_lists(ctx: Context, author_id: UserId, post_id: PostId) -> list[UserId]:
    """All followers. Those who have a list have the post in it now: who begins to listen after this finds it there."""
    followers: list[UserId] = []
    before, is_last = FollowId(MAX_ID), False
    while not is_last:
        batch = await ctx.db.feed.follower_batch(author_id=author_id, before_follow_id=before, batch_size=BATCH_SIZE)
        is_last = len(batch) < BATCH_SIZE
        if batch:
            before = batch[-1].follow_id
            owners = [follower.user_id for follower in batch]
            ctx.services.meter.count("feed_lists_written", await ctx.services.feeds.push(owners, post_id))
            followers += owners
    return followers


async def _followers_who_listen(ctx: Context, author_id: UserId) -> list[UserId]:
    """Asks who listens first and whom they follow then: the cost is that of the audience, however many follow."""
    listening = [UserId(user_id) for user_id in await ctx.services.attendance.listening(TOPIC)]
    followers: list[UserId] = []
    for start in range(0, len(listening), BATCH_SIZE):
        followers += await ctx.db.feed.followers_among(
            author_id=author_id, user_ids=listening[start : start + BATCH_SIZE]
        )
    return followers


async def forget_list(ctx: Context, data: FollowData) -> Reaction:
    """The follower's list lacks what the followed person posted before: the next page builds it anew."""
    await ctx.services.feeds.forget([data.follower_id])
    return Reaction()


FEED_FANOUT = Consumer("feed_fanout", (on(POST_CREATED, fan_out),))
FEED_FOLLOW = Consumer("feed_follow", (on(FOLLOW_CREATED, forget_list),))

"""The home feed's reactions to Facts: adds posts to the lists of followers, and tells subscribed ones what changes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel

from handlers.accounts.state_contract import ACCOUNT_HIDDEN, ACCOUNT_SHOWN, AccountData
from handlers.context import Context, Reaction
from handlers.feature import Consumer, on_each
from handlers.feed.contract import (
    FEED_NEW,
    FEED_REMOVED,
    NAMESPACE,
    REMOVED_POSTS_MAX,
    TOPIC,
    NewPost,
    RemovedPosts,
)
from handlers.mutes.contract import MUTE_BEGUN, MuteData
from handlers.people.contract import FOLLOW_CREATED, FOLLOW_ENDED, FollowData
from handlers.posts.contract import (
    POST_CHANGED,
    POST_CREATED,
    POST_DELETED,
    POST_SHOWN,
    POST_UPDATED,
    PostAck,
    PostFactData,
    PostRemoved,
)
from handlers.posts.models import PRIVATE, Post
from handlers.posts.views import pushed_post_view
from handlers.subjects import feed_subject, followed_subject, post_subject, words_subject
from realtime.contract.connection_pushes import RESYNC, Resync
from realtime.contract.declarations import Push
from realtime.contract.emissions import Emission, ToTopic, Withdraw, emission
from sql.feed import AuthorRow, FollowerBatchRow
from sql.ids import MAX_ID, FollowId, PostId, UserId
from sql.posts import PostRow

BATCH_SIZE = 1_000
"""Followers read by one statement, and lists written in one go."""


async def fan_out(ctx: Context, appeared: PostFactData) -> Reaction:
    """Delivers a post that was created, or private until now, to its author's present followers, as the post is now.

    A post that was deleted or hidden meanwhile is skipped.
    """
    post_id, author_id = PostId(appeared.post_id), UserId(appeared.author_id)
    post = await ctx.db.posts.read_post(viewer_id=author_id, post_id=post_id)
    author = await ctx.db.feed.read_author(author_id=author_id)
    if post is None or author is None or post.visibility == PRIVATE:
        return Reaction()
    if author.is_broadcaster:
        recipients = await _subscribed_followers(ctx, author_id)
    else:
        recipients = await _add_to_lists(ctx, author_id, post_id)
    if author.is_hidden:  # the lists have the post for the day on which they are not
        return Reaction()
    ctx.services.meter.count("feed_posts_fanned_out", 1)
    ctx.services.meter.count("feed_pushes_offered", len(recipients))
    readers = await _read_filters(ctx, post_id, recipients)
    told = await _as_seen(ctx, post, readers.seeing)
    return Reaction(pushes=tuple(readers.tell(FEED_NEW, NewPost(post=shown), to, post.author.id) for shown, to in told))


async def tell_change(ctx: Context, changed: PostFactData) -> Reaction:
    """Shows an edited post as it is now in the subscribed feeds of its author's followers.

    A post that was deleted or hidden is taken out.
    """
    post_id, author_id = PostId(changed.post_id), UserId(changed.author_id)
    post = await ctx.db.posts.read_post(viewer_id=author_id, post_id=post_id)
    author = await ctx.db.feed.read_author(author_id=author_id)
    recipients = [] if author is None or author.is_hidden else await _followers(ctx, author_id, author)
    # The node of the operation may have died before it said so.
    withdrawn = Withdraw(post_subject(post_id).name, None if post is None else post.version)
    if not recipients:
        return Reaction(signals=(withdrawn,))
    to = ToTopic(TOPIC, recipients)
    if post is None:
        pushes = [emission(POST_DELETED, PostRemoved(post_id=post_id), to, namespace=NAMESPACE)]
    elif post.visibility == PRIVATE:
        pushes = [emission(FEED_REMOVED, RemovedPosts(post_ids=[post_id]), to)]
    else:
        pushes = await _edited(ctx, post, await _read_filters(ctx, post_id, recipients))
    return Reaction(pushes=tuple(pushes), signals=(withdrawn,))


async def _edited(ctx: Context, post: PostRow, readers: Readers) -> list[Emission]:
    """Takes the post from those from whom a filter hides it now; gives it to those from whom one may have hidden it."""
    pushes = []
    if readers.hidden_from:
        removed = RemovedPosts(post_ids=[post.id])
        pushes.append(emission(FEED_REMOVED, removed, ToTopic(TOPIC, readers.hidden_from)))
    for shown, to in await _as_seen(ctx, post, readers.shown_to):
        pushes.append(readers.tell(FEED_NEW, NewPost(post=shown), to, post.author.id))
    for shown, to in await _as_seen(ctx, post, readers.seeing):
        pushes.append(readers.tell(POST_UPDATED, PostAck(post=shown), to, post.author.id))
    return pushes


async def tell_removal(ctx: Context, ended: FollowData) -> Reaction:
    """Takes an author's posts out of the subscribed feed of a user who does not follow them any more."""
    return await _taken_out(ctx, UserId(ended.follower_id), UserId(ended.followed_id))


async def tell_mute(ctx: Context, begun: MuteData) -> Reaction:
    """Takes an author's posts out of the subscribed feed of a user who mutes them."""
    return await _taken_out(ctx, UserId(begun.muter_id), UserId(begun.muted_id))


async def _taken_out(ctx: Context, follower_id: UserId, author_id: UserId) -> Reaction:
    """Unless this user's feed has posts of the author by now."""
    if await ctx.db.feed.followers_among(author_id=author_id, user_ids=[follower_id]):
        return Reaction()
    post_ids = await ctx.db.feed.newest_of_author(author_id=author_id, page_size=REMOVED_POSTS_MAX)
    data = RemovedPosts(post_ids=list(post_ids))
    return Reaction(pushes=(emission(FEED_REMOVED, data, ToTopic(TOPIC, [follower_id])),) if post_ids else ())


async def tell_account(ctx: Context, changed: AccountData) -> Reaction:
    """Takes the posts of a user who is hidden now out of their followers' subscribed feeds.

    Where the user has come back, these feeds are read again.
    """
    author_id = UserId(changed.user_id)
    author = await ctx.db.feed.read_author(author_id=author_id)
    recipients = [] if author is None else await _followers(ctx, author_id, author)
    if author is None or not recipients:
        return Reaction()
    to = ToTopic(TOPIC, recipients)
    if not author.is_hidden:
        return Reaction(pushes=(emission(RESYNC, Resync(scope=TOPIC), to, namespace=NAMESPACE),))
    post_ids = await ctx.db.feed.newest_of_author(author_id=author_id, page_size=REMOVED_POSTS_MAX)
    removed = RemovedPosts(post_ids=list(post_ids))
    return Reaction(pushes=(emission(FEED_REMOVED, removed, to),) if post_ids else ())


class Readers(NamedTuple):
    """Those to whom a post is told, as far as their filters were known at `position`."""

    position: int
    seeing: list[UserId]
    hidden_from: list[UserId]
    shown_to: list[UserId]
    """Those of `seeing` who have filters."""

    def tell(self, push: Push[Any], data: BaseModel, user_ids: list[UserId], author_id: UserId) -> Emission:
        """Not to those who filter the words, unfollow the author or mute them meanwhile."""
        about = (words_subject(self.position), followed_subject(author_id), feed_subject(author_id))
        return emission(push, data, ToTopic(TOPIC, user_ids), namespace=NAMESPACE, also_about=about)


async def _read_filters(ctx: Context, post_id: PostId, recipients: list[UserId]) -> Readers:
    parts = [
        await ctx.db.filters.filtered_readers(post_id=post_id, user_ids=recipients[start : start + BATCH_SIZE])
        for start in range(0, len(recipients), BATCH_SIZE)
    ]
    hidden_from = [user_id for part in parts for user_id in part.hidden_from]
    hidden = frozenset(hidden_from)
    return Readers(
        position=min((part.position for part in parts), default=0),
        seeing=[user_id for user_id in recipients if user_id not in hidden] if hidden else recipients,
        hidden_from=hidden_from,
        shown_to=[user_id for part in parts for user_id in part.shown_to],
    )


async def _as_seen(ctx: Context, post: PostRow, recipients: Sequence[UserId]) -> list[tuple[Post, list[UserId]]]:
    """The post as it is pushed, and to whom: a share shows the shared post only to those who may see that."""
    shared, readers = None, set[UserId]()
    if post.shared_id is not None:
        shared = await ctx.db.posts.read_post(viewer_id=post.author.id, post_id=post.shared_id)
        for start in range(0, len(recipients), BATCH_SIZE):
            batch = list(recipients[start : start + BATCH_SIZE])
            readers.update(await ctx.db.shares.readers_among(post_id=post.shared_id, user_ids=batch))
    others = [recipient for recipient in recipients if recipient not in readers]
    told = [(pushed_post_view(post), others)] if others else []
    return told + ([(pushed_post_view(post, shared), list(readers))] if readers else [])


async def _add_to_lists(ctx: Context, author_id: UserId, post_id: PostId) -> list[UserId]:
    """All followers who do not mute the author. The lists of all, where there are any, have the post now: later
    subscriptions find it there.
    """
    followers: list[UserId] = []
    async for batch in _follower_batches(ctx, author_id):
        ctx.services.meter.count(
            "feed_lists_written", await ctx.services.feeds.push([one.user_id for one in batch], post_id)
        )
        followers += _hearing(batch)
    return followers


async def _followers(ctx: Context, author_id: UserId, author: AuthorRow) -> list[UserId]:
    """Those to whom a push about this author's posts is offered; see `_subscribed_followers` for broadcasters."""
    if author.is_broadcaster:
        return await _subscribed_followers(ctx, author_id)
    return [follower async for batch in _follower_batches(ctx, author_id) for follower in _hearing(batch)]


def _hearing(batch: list[FollowerBatchRow]) -> list[UserId]:
    return [follower.user_id for follower in batch if not follower.mutes]


async def _follower_batches(ctx: Context, author_id: UserId) -> AsyncIterator[list[FollowerBatchRow]]:
    before, is_last = FollowId(MAX_ID), False
    while not is_last:
        batch = await ctx.db.feed.follower_batch(author_id=author_id, before_follow_id=before, batch_size=BATCH_SIZE)
        is_last = len(batch) < BATCH_SIZE
        if batch:
            before = batch[-1].follow_id
            yield batch


async def _subscribed_followers(ctx: Context, author_id: UserId) -> list[UserId]:
    """Reads the subscribed users, then which of them follow: the cost grows with the subscribers, not the followers."""
    subscribed = [UserId(user_id) for user_id in await ctx.services.subscribers.listening(TOPIC)]
    followers: list[UserId] = []
    for start in range(0, len(subscribed), BATCH_SIZE):
        followers += await ctx.db.feed.followers_among(
            author_id=author_id, user_ids=subscribed[start : start + BATCH_SIZE]
        )
    return followers


async def delete_list(ctx: Context, data: FollowData) -> Reaction:
    """Deletes the follower's list, which lacks earlier posts of the followed user: the next page rebuilds it.

    Pages before that recognise the list by its `list_version`, and are read from SQL.
    """
    await ctx.services.feeds.forget([data.follower_id])
    return Reaction()


FEED_FANOUT = Consumer("feed_fanout", (on_each(POST_CREATED, fan_out), on_each(POST_SHOWN, fan_out)))
FEED_CHANGES = Consumer(
    "feed_changes",
    (
        on_each(POST_CHANGED, tell_change),
        on_each(FOLLOW_ENDED, tell_removal),
        on_each(ACCOUNT_HIDDEN, tell_account),
        on_each(ACCOUNT_SHOWN, tell_account),
    ),
)
FEED_MUTES = Consumer("feed_mutes", (on_each(MUTE_BEGUN, tell_mute),))
FEED_FOLLOW = Consumer("feed_follow", (on_each(FOLLOW_CREATED, delete_list),))

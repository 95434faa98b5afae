"""The use cases of users: profiles, follows, blocks."""

from __future__ import annotations

from handlers.access import is_blocked, may_see_person, require_visible
from handlers.case_folding import folded
from handlers.collections import ChangedItems, ReadFrom, collection_changed
from handlers.context import Context, Outcome, RaisedFact
from handlers.limits import Limits
from handlers.paging import cut_page, rows_wanted
from handlers.people.contract import (
    FOLLOW_CREATED,
    FOLLOW_ENDED,
    ME,
    Blocking,
    FollowData,
    Following,
    GetUser,
    ListFollows,
    NamedUser,
    UpdateUser,
    UserDetail,
    UserMe,
)
from handlers.people.models import User
from handlers.people.relations import follow_told, relation_told
from handlers.people.views import own_profile_view, user_view
from handlers.subjects import followed_subject, restore_between, withdraw_between
from realtime.contract.emissions import Restore, Withdraw
from realtime.contract.errors import CONFLICT, NOT_FOUND, UNAUTHENTICATED, CommandError
from realtime.contract.wire import Empty, Page, unix_ms
from sql.graph import FollowRow, FollowsQuery
from sql.ids import MAX_ID, FollowId, UserId
from sql.people import RelationRow

NO_ACCOUNT = "The account of this token does not exist any more."


async def show_me(ctx: Context, cmd: Empty) -> Outcome[UserMe]:
    row = await ctx.db.people.read_own_profile(user_id=ctx.user_id)
    if row is None:
        raise CommandError(UNAUTHENTICATED, NO_ACCOUNT)
    return Outcome(
        UserMe(
            user=user_view(row.user),
            email=row.email,
            phone=row.phone,
            profile=row.profile,
            settings=row.settings,
            server_time_ms=unix_ms(ctx.now()),
            limits=Limits(),
            version=ctx.services.policy.version,
        )
    )


async def show_person(ctx: Context, cmd: GetUser) -> Outcome[UserDetail]:
    if cmd.username is not None:
        row = await ctx.db.people.read_person_by_username(viewer_id=ctx.user_id, username_folded=folded(cmd.username))
    else:
        row = await ctx.db.people.read_person(viewer_id=ctx.user_id, user_id=UserId(cmd.user_id or 0))
    if row is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_person(row.viewer))
    return Outcome(UserDetail(user=user_view(row.user, row.viewer), profile=row.profile))


async def update_me(ctx: Context, cmd: UpdateUser) -> Outcome[UserDetail]:
    row = await ctx.db.people.update_profile(
        user_id=ctx.user_id,
        display_name=cmd.display_name,
        bio=cmd.bio,
        profile=cmd.profile,
        settings=cmd.settings,
    )
    if row is None:
        raise CommandError(UNAUTHENTICATED, NO_ACCOUNT)
    own = own_profile_view(row.own)
    told = (collection_changed(ME, ctx.user_id, upserts=[own]),) if row.is_changed else ()
    return Outcome(UserDetail(user=own.user, profile=own.profile), pushes=told)


async def read_me(ctx: Context, start: ReadFrom) -> ChangedItems:
    row = await ctx.db.people.read_own_profile(user_id=ctx.user_id)
    return ChangedItems(upserts=[] if row is None else [own_profile_view(row)])


async def follow(ctx: Context, cmd: NamedUser) -> Outcome[Following]:
    other_id = UserId(cmd.user_id)
    row = await _set_follow(ctx, other_id, wanted=True)
    if row is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_person(row.viewer))
    if row.viewer.is_self:
        raise CommandError(CONFLICT, "You cannot follow yourself.")
    if row.viewer.blocks:
        raise CommandError(CONFLICT, "You block this user: remove the block first.")
    return Outcome(
        Following(following=True),
        pushes=(await follow_told(ctx, other_id, row.viewer, following=True),) if row.changed else (),
        signals=(Restore(followed_subject(other_id).name, (ctx.user_id,)),),
        stored_facts=(FOLLOW_CREATED,) if row.changed else (),
    )


async def unfollow(ctx: Context, cmd: NamedUser) -> Outcome[Following]:
    other_id = UserId(cmd.user_id)
    row = await _set_follow(ctx, other_id, wanted=False)
    told = () if row is None or not row.changed else (await follow_told(ctx, other_id, row.viewer, following=False),)
    withdrawn = Withdraw(followed_subject(other_id).name, user_ids=(ctx.user_id,))
    return Outcome(
        Following(following=False),
        pushes=told,
        signals=(withdrawn,),
        stored_facts=(FOLLOW_ENDED,) if told else (),
    )


async def block(ctx: Context, cmd: NamedUser) -> Outcome[Blocking]:
    other_id = UserId(cmd.user_id)
    if other_id == ctx.user_id:
        raise CommandError(CONFLICT, "You cannot block yourself.")
    await ctx.db.people.lock_users(user_ids=[ctx.user_id, other_id])
    # Who blocks the caller can be blocked all the same; who is suspended or deleted is nobody.
    state = await ctx.db.accounts.read_state(user_id=other_id)
    if state is None or state.is_hidden:
        raise CommandError(NOT_FOUND)
    is_new = await ctx.db.graph.insert_block(blocker_id=ctx.user_id, blocked_id=other_id)
    removed = await ctx.db.graph.remove_follows(user_id=ctx.user_id, other_id=other_id)
    told = [await relation_told(ctx, ctx.user_id, other_id)] if is_new else []
    # The other one learns no more than that they do not follow the caller now.
    told += [await relation_told(ctx, other_id, ctx.user_id) for row in removed if row.follower_id == other_id]
    return Outcome(
        Blocking(blocked=True),
        pushes=tuple(told),
        facts=tuple(_follow_ended(row.follower_id, row.followed_id) for row in removed),
        # What the follows gave to see stays withdrawn when the block ends.
        signals=(
            *withdraw_between(ctx.user_id, other_id),
            Withdraw(followed_subject(other_id).name, user_ids=(ctx.user_id,)),
            Withdraw(followed_subject(ctx.user_id).name, user_ids=(other_id,)),
        ),
    )


async def unblock(ctx: Context, cmd: NamedUser) -> Outcome[Blocking]:
    other_id = UserId(cmd.user_id)
    # Whether no block is left is known for sure only while neither of the two can set or end one.
    await ctx.db.people.lock_users(user_ids=[ctx.user_id, other_id])
    had_block = await ctx.db.graph.delete_block(blocker_id=ctx.user_id, blocked_id=other_id)
    other = await ctx.db.people.read_person(viewer_id=ctx.user_id, user_id=other_id)
    is_over = other is not None and not is_blocked(other.viewer)
    return Outcome(
        Blocking(blocked=False),
        pushes=(await relation_told(ctx, ctx.user_id, other_id),) if had_block else (),
        signals=restore_between(ctx.user_id, other_id) if is_over else (),
    )


async def list_followers(ctx: Context, cmd: ListFollows) -> Outcome[Page[User]]:
    return await _list_follows(ctx, cmd, ctx.db.graph.list_followers)


async def list_following(ctx: Context, cmd: ListFollows) -> Outcome[Page[User]]:
    return await _list_follows(ctx, cmd, ctx.db.graph.list_following)


async def _list_follows(ctx: Context, cmd: ListFollows, read: FollowsQuery) -> Outcome[Page[User]]:
    user_id = UserId(cmd.user_id)
    await _visible_relation(ctx, user_id)
    rows = await read(
        viewer_id=ctx.user_id,
        user_id=user_id,
        before=FollowId(MAX_ID if cmd.before is None else cmd.before),
        page_size=rows_wanted(cmd.limit),
    )
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.follow_id)
    return Outcome(Page(items=[user_view(row.user, row.viewer) for row in shown], next_cursor=next_cursor))


async def _set_follow(ctx: Context, other_id: UserId, *, wanted: bool) -> FollowRow | None:
    return await ctx.db.graph.set_follow(
        follower_id=ctx.user_id,
        followed_id=other_id,
        wanted=wanted,
        broadcaster_from=ctx.services.policy.feed_fanout_max_followers,
    )


def _follow_ended(follower_id: UserId, followed_id: UserId) -> RaisedFact:
    return RaisedFact(FOLLOW_ENDED, FollowData(follower_id=follower_id, followed_id=followed_id))


async def _visible_relation(ctx: Context, user_id: UserId) -> RelationRow:
    """The caller's relation to a user. Raises `not_found` for a user whom the caller may not see."""
    person = await ctx.db.people.read_person(viewer_id=ctx.user_id, user_id=user_id)
    if person is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_person(person.viewer))
    return person.viewer

"""What moderators and operators decide about accounts and posts. Each act is noted in the audit."""

from __future__ import annotations

from typing import Any, Final, Literal, NamedTuple

from handlers.accounts.state_contract import ACCOUNT_HIDDEN, ACCOUNT_SHOWN, AccountData
from handlers.case_folding import folded
from handlers.context import Context, Outcome, RaisedFact
from handlers.posts.contract import POST_CHANGED, POST_DELETED, PostFactData, PostRemoved
from handlers.posts.models import PRIVATE
from handlers.posts.rooms import post_room
from handlers.subjects import post_subject, restore_person, withdraw_person
from realtime.contract.declarations import Fact
from realtime.contract.emissions import RevokeLoginSessions, Signal, ToRoom, Withdraw, emission
from realtime.contract.errors import NOT_FOUND, CommandError
from realtime.contract.wire import NOTHING, Nothing
from sql.accounts import AccountStateRow
from sql.ids import PostId, UserId

Role = Literal["user", "moderator", "admin"]


class Act(NamedTuple):
    """Who decides, and why. `actor_id` is None for the operator at the command line."""

    actor_id: UserId | None = None
    reason: str = ""


OPERATOR: Final = Act()


async def set_role(ctx: Context, act: Act, username: str, role: Role) -> Outcome[Nothing]:
    """It holds at once: a role is read where it is needed."""
    user = await _locked(ctx, username)
    await ctx.db.accounts.set_role(user_id=user.id, role=role)
    await _note(ctx, act, "role", user.id, role=role)
    return Outcome(NOTHING)


async def ban(ctx: Context, act: Act, username: str) -> Outcome[Nothing]:
    """Suspends a user. Done again, it logs them out again, and tells all nodes again."""
    user = await _locked(ctx, username)
    await ctx.db.accounts.set_suspended(user_id=user.id, suspended=True)
    await _note(ctx, act, "ban", user.id)
    return await hidden(ctx, user.id)


async def unban(ctx: Context, act: Act, username: str) -> Outcome[Nothing]:
    user = await _locked(ctx, username)
    is_hidden = await ctx.db.accounts.set_suspended(user_id=user.id, suspended=False)
    await _note(ctx, act, "unban", user.id)
    return Outcome(NOTHING) if is_hidden is None or is_hidden else shown(user.id)


async def delete_user(ctx: Context, act: Act, username: str) -> Outcome[Nothing]:
    """Deletes an account as its user can; a ban beside it keeps them from taking it back."""
    user = await _locked(ctx, username)
    await ctx.db.accounts.set_deleted(user_id=user.id, deleted=True)
    await _note(ctx, act, "delete_user", user.id)
    return await hidden(ctx, user.id)


async def delete_post(ctx: Context, act: Act, post_id: PostId) -> Outcome[Nothing]:
    author_id = await ctx.db.accounts.find_author(post_id=post_id)
    if author_id is None:
        raise CommandError(NOT_FOUND, f"There is no post {post_id}.")
    await ctx.db.people.lock_users(user_ids=[author_id])
    await ctx.db.shares.lock_with_shared(post_id=post_id)
    deleted = await ctx.db.posts.delete_post(post_id=post_id, author_id=author_id)
    if deleted is None or deleted.visibility is None:
        raise CommandError(NOT_FOUND, f"There is no post {post_id}.")
    await ctx.db.shares.change_shares(shared_id=post_id)
    await _note(ctx, act, "delete_post", author_id, post_id=post_id)
    watched = post_room(post_id, author_id, deleted.visibility)
    fact = RaisedFact(POST_CHANGED, PostFactData(post_id=post_id, author_id=author_id))
    return Outcome(
        NOTHING,
        pushes=(emission(POST_DELETED, PostRemoved(post_id=post_id), ToRoom(watched)),),
        facts=() if deleted.visibility == PRIVATE else (fact,),
        signals=(Withdraw(post_subject(post_id).name),),
    )


async def hidden(ctx: Context, user_id: UserId) -> Outcome[Nothing]:
    """Logs a user who is hidden now out everywhere, and ends on every node what others are told of them."""
    ended = await ctx.db.accounts.revoke_sessions(user_id=user_id, except_session_id=None)
    signals: tuple[Signal, ...] = (RevokeLoginSessions(ended), *withdraw_person(user_id))
    return Outcome(NOTHING, facts=(_fact(ACCOUNT_HIDDEN, user_id),), signals=signals)


def shown(user_id: UserId) -> Outcome[Nothing]:
    """Lets others be told again of a user who is not hidden any more."""
    return Outcome(NOTHING, facts=(_fact(ACCOUNT_SHOWN, user_id),), signals=restore_person(user_id))


async def _locked(ctx: Context, username: str) -> AccountStateRow:
    """A user who is not erased, locked until the transaction ends. Raises `not_found`."""
    found = await ctx.db.accounts.find_user(username_folded=folded(username))
    if found is not None:
        await ctx.db.people.lock_users(user_ids=[found.id])
        found = await ctx.db.accounts.read_state(user_id=found.id)
    if found is None:
        raise CommandError(NOT_FOUND, f"There is no user {username}.")
    return found


async def _note(
    ctx: Context, act: Act, name: str, user_id: UserId, *, post_id: PostId | None = None, role: str | None = None
) -> None:
    await ctx.db.accounts.note_act(
        actor_id=act.actor_id, act=name, user_id=user_id, post_id=post_id, role=role, reason=act.reason
    )


def _fact(fact: Fact[Any], user_id: UserId) -> RaisedFact:
    return RaisedFact(fact, AccountData(user_id=user_id))

"""Listing and revoking one's own login sessions, and changing the password."""

from __future__ import annotations

import datetime
from dataclasses import dataclass

from handlers.accounts.contract import ChangePassword, ListSessions, LoginSession, RevokeSession
from handlers.accounts.login_limits import verify_password
from handlers.accounts.views import login_session_view
from handlers.context import Context, Outcome, PrepareContext
from handlers.paging import cut_page, rows_wanted
from realtime.contract.emissions import RevokeLoginSessions
from realtime.contract.errors import FORBIDDEN, NOT_FOUND, CommandError
from realtime.contract.wire import NOTHING, Nothing, Page
from realtime.limits.networks import network_of
from sql.ids import MAX_ID, LoginSessionId

WRONG_PASSWORD = "The old password is wrong."


@dataclass(frozen=True, slots=True)
class PasswordChange:
    """The stored hash that the old password was checked against, and the hash of the new password."""

    old_hash: str
    new_hash: str


async def list_sessions(ctx: Context, cmd: ListSessions) -> Outcome[Page[LoginSession]]:
    rows = await ctx.db.accounts.list_sessions(
        user_id=ctx.user_id,
        used_since=ctx.now() - datetime.timedelta(seconds=ctx.services.policy.refresh_token_ttl_s),
        before=LoginSessionId(MAX_ID if cmd.before is None else cmd.before),
        page_size=rows_wanted(cmd.limit),
    )
    shown, next_cursor = cut_page(rows, cmd.limit, lambda row: row.id)
    current_id = _current_session(ctx)
    return Outcome(Page(items=[login_session_view(row, current_id) for row in shown], next_cursor=next_cursor))


async def revoke(ctx: Context, cmd: RevokeSession) -> Outcome[Nothing]:
    ended = await ctx.db.accounts.revoke_session(user_id=ctx.user_id, session_id=LoginSessionId(cmd.session_id))
    if ended is not None:
        return Outcome(NOTHING, signals=(RevokeLoginSessions([ended]),))
    if not await ctx.db.accounts.owns_session(user_id=ctx.user_id, session_id=LoginSessionId(cmd.session_id)):
        raise CommandError(NOT_FOUND)
    return Outcome(NOTHING)


async def prepare_password_change(ctx: PrepareContext, cmd: ChangePassword) -> PasswordChange:
    """Checks the old password and hashes the new one."""
    stored = await ctx.reads.accounts.read_own_credentials(user_id=ctx.user_id, network=network_of(ctx.caller.address))
    verdict = await verify_password(ctx, f"id:{ctx.user_id}", stored, cmd.old)
    if stored is None or not verdict.correct:
        raise CommandError(FORBIDDEN, WRONG_PASSWORD, fields={"old": "is wrong"})
    return PasswordChange(stored.password_hash, await ctx.services.passwords.hash(cmd.new))


async def change_password(ctx: Context, cmd: ChangePassword, change: PasswordChange) -> Outcome[Nothing]:
    if await ctx.db.accounts.lock_password_hash(user_id=ctx.user_id) != change.old_hash:
        raise CommandError(FORBIDDEN, WRONG_PASSWORD, fields={"old": "is wrong"})
    await ctx.db.accounts.set_password_hash(user_id=ctx.user_id, password_hash=change.new_hash)
    ended = await ctx.db.accounts.revoke_sessions(user_id=ctx.user_id, except_session_id=_current_session(ctx))
    return Outcome(NOTHING, signals=(RevokeLoginSessions(ended),))


def _current_session(ctx: Context) -> LoginSessionId:
    if ctx.caller.identity is None:
        raise RuntimeError("a command for users was called anonymously")
    return LoginSessionId(ctx.caller.identity.login_session_id)

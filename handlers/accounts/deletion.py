"""Deleting one's own account."""

from __future__ import annotations

from handlers.accounts.acts import hidden
from handlers.accounts.login_limits import verify_password
from handlers.accounts.state_contract import DeleteUser
from handlers.context import Context, Outcome, PrepareContext
from realtime.contract.errors import FORBIDDEN, CommandError
from realtime.contract.wire import Nothing
from realtime.limits.networks import network_of

WRONG_PASSWORD = "The password is wrong."


async def check_password(ctx: PrepareContext, cmd: DeleteUser) -> str:
    """The stored hash that the password was checked against."""
    stored = await ctx.reads.accounts.read_own_credentials(user_id=ctx.user_id, network=network_of(ctx.caller.address))
    verdict = await verify_password(ctx, f"id:{ctx.user_id}", stored, cmd.password)
    if stored is None or not verdict.correct:
        raise CommandError(FORBIDDEN, WRONG_PASSWORD, fields={"password": "is wrong"})
    return stored.password_hash


async def delete_account(ctx: Context, cmd: DeleteUser, checked_hash: str) -> Outcome[Nothing]:
    if await ctx.db.accounts.lock_password_hash(user_id=ctx.user_id) != checked_hash:
        raise CommandError(FORBIDDEN, WRONG_PASSWORD, fields={"password": "is wrong"})
    await ctx.db.accounts.set_deleted(user_id=ctx.user_id, deleted=True)
    return await hidden(ctx, ctx.user_id)

"""Rotation of refresh tokens, logout, and renewal of a live connection."""

from __future__ import annotations

import datetime

from handlers.accounts.contract import Credentials, Logout, Refresh, Renew, Renewed
from handlers.accounts.credentials import SUSPENDED, make_credentials, note_network, refresh_expiry, user_agent_of
from handlers.context import Call, Context, Outcome, Refusal
from realtime.contract.emissions import RevokeLoginSessions
from realtime.contract.errors import FORBIDDEN, UNAUTHENTICATED, CommandError
from realtime.contract.wire import NOTHING, Nothing
from sql.accounts import RefreshTokenRow

WRONG_TOKEN = "This refresh token is not valid any more."


async def refresh(ctx: Context, cmd: Refresh) -> Outcome[Credentials] | Refusal:
    """Rotates the token. Its lock serializes concurrent uses: one rotates, the others get the same answer."""
    used_hash = ctx.services.tokens.fingerprint(cmd.refresh_token)
    row = await ctx.db.accounts.lock_refresh_token(token_hash=used_hash)
    if row is not None and row.is_suspended:
        raise CommandError(FORBIDDEN, SUSPENDED)
    if row is None or row.revoked_at is not None:
        raise CommandError(UNAUTHENTICATED, WRONG_TOKEN)
    if row.used_at is not None:
        successor = await _unused_successor(ctx, cmd.refresh_token, row)
        if successor is None:
            return await _revoke_stolen_session(ctx, row)
    else:
        if row.expires_at <= ctx.now():
            raise CommandError(UNAUTHENTICATED, WRONG_TOKEN)
        successor = ctx.services.tokens.successors(cmd.refresh_token)[0]
        await ctx.db.accounts.rotate_refresh_token(
            token_hash=used_hash,
            successor_hash=ctx.services.tokens.fingerprint(successor),
            now=ctx.now(),
            expires_at=refresh_expiry(ctx),
        )
        await ctx.db.accounts.touch_session(
            session_id=row.session_id, user_agent=user_agent_of(ctx), address=ctx.caller.address
        )
        await note_network(ctx, row.user_id)
        await ctx.db.people.mark_active(user_ids=[row.user_id])
    return Outcome(await make_credentials(ctx, row.user_id, row.session_id, successor))


async def logout(ctx: Context, cmd: Logout) -> Outcome[Nothing]:
    """Ends the session of any of its refresh tokens, also of a used one: the client may have lost the successor."""
    row = await ctx.db.accounts.lock_refresh_token(token_hash=ctx.services.tokens.fingerprint(cmd.refresh_token))
    if row is None:
        raise CommandError(UNAUTHENTICATED, WRONG_TOKEN)
    if row.revoked_at is not None:
        return Outcome(NOTHING)
    ended = [row.session_id]
    if cmd.everywhere:
        ended = await ctx.db.accounts.revoke_sessions(user_id=row.user_id, except_session_id=None)
    else:
        await ctx.db.accounts.revoke_session(user_id=row.user_id, session_id=row.session_id)
    return Outcome(NOTHING, signals=(RevokeLoginSessions(ended),))


async def renew(call: Call, cmd: Renew) -> Outcome[Renewed]:
    if not call.session.is_live:
        raise CommandError(FORBIDDEN, "There is no connection to renew: send the new token with each request.")
    identity = call.services.tokens.identify(cmd.token)
    mine = call.caller.identity
    if mine is None or (identity.user_id, identity.login_session_id) != (mine.user_id, mine.login_session_id):
        raise CommandError(FORBIDDEN, "This token belongs to another login session.")
    await call.session.renew(identity)
    return Outcome(Renewed(expires_in_s=int(identity.expires_at_s - call.services.clock.now_s())))


async def _unused_successor(ctx: Context, refresh_token: str, row: RefreshTokenRow) -> str | None:
    """The refresh token that the first use got, if its answer may have been lost; None when that token was used too."""
    if row.used_at is None or row.successor_hash is None:
        return None
    if ctx.now() - row.used_at > datetime.timedelta(seconds=ctx.services.policy.refresh_grace_s):
        return None
    tokens = ctx.services.tokens
    for successor in tokens.successors(refresh_token):
        if tokens.fingerprint(successor) == row.successor_hash:
            successor_row = await ctx.db.accounts.lock_refresh_token(token_hash=row.successor_hash)
            return successor if successor_row is not None and successor_row.used_at is None else None
    return None


async def _revoke_stolen_session(ctx: Context, row: RefreshTokenRow) -> Refusal:
    await ctx.db.accounts.revoke_session(user_id=row.user_id, session_id=row.session_id)
    ctx.services.meter.count("refresh_token_reuse", 1)
    return Refusal(CommandError(UNAUTHENTICATED, WRONG_TOKEN), signals=(RevokeLoginSessions([row.session_id]),))

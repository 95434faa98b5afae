"""Begins login sessions and hands out their tokens."""

from __future__ import annotations

import datetime

from handlers.accounts.contract import Credentials
from handlers.context import Context
from handlers.people.views import user_view
from realtime.contract.errors import UNAUTHENTICATED, CommandError
from sql.ids import LoginSessionId, UserId

USER_AGENT_CHARS = 300


async def begin_login_session(ctx: Context, user_id: UserId) -> Credentials:
    """Logs a person in on the caller's device."""
    session_id = await ctx.db.accounts.insert_session(
        user_id=user_id, user_agent=device_of(ctx), address=ctx.caller.address
    )
    refresh_token = ctx.services.tokens.refresh_token()
    await ctx.db.accounts.insert_refresh_token(
        token_hash=ctx.services.tokens.fingerprint(refresh_token),
        session_id=session_id,
        issued_at=ctx.now(),
        expires_at=refresh_expiry(ctx),
    )
    return await credentials_of(ctx, user_id, session_id, refresh_token)


async def credentials_of(ctx: Context, user_id: UserId, session_id: LoginSessionId, refresh_token: str) -> Credentials:
    """The answer that carries tokens, with a fresh access token. Raises `unauthenticated` if the person is gone."""
    users = await ctx.db.people.list_users(user_ids=[user_id])
    if not users:
        raise CommandError(UNAUTHENTICATED)
    issued = ctx.services.tokens.access_token(user_id, session_id)
    return Credentials(
        user=user_view(users[0]),
        access_token=issued.token,
        refresh_token=refresh_token,
        expires_in_s=issued.expires_in_s,
    )


def refresh_expiry(ctx: Context) -> datetime.datetime:
    """When a refresh token that is given out now is good no more."""
    return ctx.now() + datetime.timedelta(seconds=ctx.services.policy.refresh_token_ttl_s)


def device_of(ctx: Context) -> str:
    """The caller's program, as it calls itself; cut, and without what cannot be stored."""
    told = (ctx.caller.user_agent or "")[:USER_AGENT_CHARS]
    return "".join(character for character in told if character.isprintable())

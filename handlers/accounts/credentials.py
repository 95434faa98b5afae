"""Starts login sessions and issues their tokens."""

from __future__ import annotations

import datetime

from handlers.accounts.contract import Credentials
from handlers.context import Context
from handlers.people.views import user_view
from realtime.contract.errors import UNAUTHENTICATED, CommandError
from realtime.limits.networks import network_of
from sql.ids import LoginSessionId, UserId

USER_AGENT_CHARS = 300
SUSPENDED = "This account is suspended."


async def start_login_session(ctx: Context, user_id: UserId) -> Credentials:
    """Logs a user in on the caller's device."""
    session_id = await ctx.db.accounts.insert_session(
        user_id=user_id, user_agent=user_agent_of(ctx), address=ctx.caller.address
    )
    await note_network(ctx, user_id)
    refresh_token = ctx.services.tokens.refresh_token()
    await ctx.db.accounts.insert_refresh_token(
        token_hash=ctx.services.tokens.fingerprint(refresh_token),
        session_id=session_id,
        issued_at=ctx.now(),
        expires_at=refresh_expiry(ctx),
    )
    return await make_credentials(ctx, user_id, session_id, refresh_token)


async def make_credentials(
    ctx: Context, user_id: UserId, session_id: LoginSessionId, refresh_token: str
) -> Credentials:
    """The answer with this refresh token and a new access token. Raises `unauthenticated` if the user is gone."""
    row = await ctx.db.people.read_own_profile(user_id=user_id)
    if row is None:
        raise CommandError(UNAUTHENTICATED)
    issued = ctx.services.tokens.access_token(user_id, session_id)
    return Credentials(
        user=user_view(row.user),
        access_token=issued.token,
        refresh_token=refresh_token,
        expires_in_s=issued.expires_in_s,
    )


async def note_network(ctx: Context, user_id: UserId) -> None:
    """Lets this user pass from the caller's network when strangers have used up the wrong passwords of the account."""
    await ctx.db.accounts.note_network(user_id=user_id, network=network_of(ctx.caller.address))


def refresh_expiry(ctx: Context) -> datetime.datetime:
    """When a refresh token that is issued now expires."""
    return ctx.now() + datetime.timedelta(seconds=ctx.services.policy.refresh_token_ttl_s)


def user_agent_of(ctx: Context) -> str:
    """The caller's User-Agent, cut to its longest length, without characters that cannot be stored."""
    sent = (ctx.caller.user_agent or "")[:USER_AGENT_CHARS]
    return "".join(character for character in sent if character.isprintable())

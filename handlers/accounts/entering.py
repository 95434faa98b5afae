"""Registration and login."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.accounts.contract import Credentials, Login, Register
from handlers.accounts.credentials import begin_login_session
from handlers.accounts.identifiers import normal_login
from handlers.accounts.login_limits import count_attempt
from handlers.context import Context, Outcome, PrepareContext
from realtime.contract.errors import CONFLICT, UNAUTHENTICATED, CommandError
from sql.errors import UniqueViolated
from sql.ids import UserId

WRONG_LOGIN = "There is no account with this name and password."

_FIELD_OF_CONSTRAINT = {
    "users_username_key": "username",
    "users_email_key": "email",
    "users_phone_key": "phone",
}


@dataclass(frozen=True, slots=True)
class Proof:
    """Who has shown their password, and the stored hash that it was checked against.

    `upgraded_hash` is set where the stored hash is to be replaced by a stronger one.
    """

    user_id: UserId
    password_hash: str
    upgraded_hash: str | None


async def hash_new_password(ctx: PrepareContext, cmd: Register) -> str:
    return await ctx.services.passwords.hash(cmd.password)


async def register(ctx: Context, cmd: Register, password_hash: str) -> Outcome[Credentials]:
    try:
        user_id = await ctx.db.accounts.insert_user(
            username=cmd.username,
            email=cmd.email,
            phone=cmd.phone,
            password_hash=password_hash,
            display_name=cmd.display_name or cmd.username,
        )
    except UniqueViolated as error:
        field = _FIELD_OF_CONSTRAINT[error.constraint]
        raise CommandError(CONFLICT, f"This {field} is taken.", fields={field: "is taken"}) from None
    if cmd.profile is not None:
        await ctx.db.people.update_profile(
            user_id=user_id, display_name=None, bio=None, profile=cmd.profile, settings=None
        )
    return Outcome(await begin_login_session(ctx, user_id))


async def prove_password(ctx: PrepareContext, cmd: Login) -> Proof:
    """Checks the password. Existing account or not, exactly one password is verified, so that time tells nothing."""
    name = normal_login(cmd.login)
    await count_attempt(ctx, name)
    async with ctx.read() as db:
        account = await db.accounts.read_credentials(login=name)
    stored_hash = account.password_hash if account is not None else None
    verdict = await ctx.services.passwords.verify(stored_hash, cmd.password)
    if account is None or not verdict.correct:
        raise CommandError(UNAUTHENTICATED, WRONG_LOGIN)
    return Proof(account.user_id, account.password_hash, verdict.upgraded_hash)


async def login(ctx: Context, cmd: Login, proof: Proof) -> Outcome[Credentials]:
    current = await ctx.db.accounts.lock_password_hash(user_id=proof.user_id)
    if current != proof.password_hash:  # changed while it was being checked: that change has ended all other sessions
        raise CommandError(UNAUTHENTICATED, WRONG_LOGIN)
    if proof.upgraded_hash is not None:
        await ctx.db.accounts.set_password_hash(user_id=proof.user_id, password_hash=proof.upgraded_hash)
    await ctx.db.people.mark_active(user_ids=[proof.user_id])
    return Outcome(await begin_login_session(ctx, proof.user_id))

"""Registration and login."""

from __future__ import annotations

from dataclasses import dataclass

from handlers.accounts.contract import Credentials, Login, Register
from handlers.accounts.credentials import SUSPENDED, start_login_session
from handlers.accounts.identifiers import normalized_login
from handlers.accounts.login_limits import counted_registration, verify_password
from handlers.accounts.state_contract import ACCOUNT_SHOWN, TAKEN_BACK_WITHIN, AccountData
from handlers.case_folding import folded
from handlers.context import Context, Outcome, PrepareContext, RaisedFact
from handlers.subjects import restore_person
from realtime.contract.errors import CONFLICT, FORBIDDEN, UNAUTHENTICATED, CommandError
from realtime.limits.networks import network_of
from sql.accounts import AccountStateRow
from sql.errors import UniqueViolated
from sql.ids import UserId

WRONG_LOGIN = "There is no account with this name and password."

_FIELD_OF_CONSTRAINT = {
    "users_username_key": "username",
    "users_email_key": "email",
    "users_phone_key": "phone",
}


@dataclass(frozen=True, slots=True)
class VerifiedLogin:
    """A user whose password was right, with the stored hash that it was checked against.

    `upgraded_hash` is set where a stronger hash is to replace the stored one.
    """

    user_id: UserId
    password_hash: str
    upgraded_hash: str | None


async def prepare_registration(ctx: PrepareContext, cmd: Register) -> str:
    """Counts the registration and hashes the password.

    A name that is taken is refused before: that tells no more than the answer does, and costs one of the network's
    attempts only.
    """
    taken = await ctx.reads.accounts.find_taken_names(
        username_folded=folded(cmd.username), email_folded=_folded_email(cmd), phone=cmd.phone
    )
    fields = [field for field, is_taken in taken._asdict().items() if is_taken]
    if fields:
        raise _taken(*fields)
    async with counted_registration(ctx):
        return await ctx.services.passwords.hash(cmd.password)


async def register(ctx: Context, cmd: Register, password_hash: str) -> Outcome[Credentials]:
    try:
        user_id = await ctx.db.accounts.insert_user(
            username=cmd.username,
            username_folded=folded(cmd.username),
            email=cmd.email,
            email_folded=_folded_email(cmd),
            phone=cmd.phone,
            password_hash=password_hash,
            display_name=cmd.display_name or cmd.username,
        )
    except UniqueViolated as error:  # taken at the same time
        raise _taken(_FIELD_OF_CONSTRAINT[error.constraint]) from None
    if cmd.profile is not None:
        await ctx.db.people.update_profile(
            user_id=user_id, display_name=None, bio=None, profile=cmd.profile, settings=None
        )
    return Outcome(await start_login_session(ctx, user_id))


async def prepare_login(ctx: PrepareContext, cmd: Login) -> VerifiedLogin:
    """Verifies the password. One is verified also for an unknown account, so that both take the same time."""
    # By the name and not by the account that has it: else the limit would tell which address belongs to which name.
    name = normalized_login(cmd.login)
    account = await ctx.reads.accounts.read_credentials(login=name, network=network_of(ctx.caller.address))
    verdict = await verify_password(ctx, f"name:{name}", account, cmd.password)
    if account is None or not verdict.correct:
        raise CommandError(UNAUTHENTICATED, WRONG_LOGIN)
    return VerifiedLogin(account.user_id, account.password_hash, verdict.upgraded_hash)


async def login(ctx: Context, cmd: Login, verified: VerifiedLogin) -> Outcome[Credentials]:
    current = await ctx.db.accounts.lock_password_hash(user_id=verified.user_id)
    if current != verified.password_hash:  # the password was changed during the check, which ended all other sessions
        raise CommandError(UNAUTHENTICATED, WRONG_LOGIN)
    state = await ctx.db.accounts.read_state(user_id=verified.user_id)
    if state is None or _is_too_late(ctx, state):
        raise CommandError(UNAUTHENTICATED, WRONG_LOGIN)
    if state.is_suspended:
        raise CommandError(FORBIDDEN, SUSPENDED)
    if verified.upgraded_hash is not None:
        await ctx.db.accounts.set_password_hash(user_id=verified.user_id, password_hash=verified.upgraded_hash)
    await ctx.db.people.mark_active(user_ids=[verified.user_id])
    if state.deletion_asked_at is None:
        return Outcome(await start_login_session(ctx, verified.user_id))
    await ctx.db.accounts.set_deleted(user_id=verified.user_id, deleted=False)
    return Outcome(
        await start_login_session(ctx, verified.user_id),
        facts=(RaisedFact(ACCOUNT_SHOWN, AccountData(user_id=verified.user_id)),),
        signals=restore_person(verified.user_id),
    )


def _is_too_late(ctx: Context, state: AccountStateRow) -> bool:
    """Whether the deletion of the account cannot be taken back any more."""
    return state.deletion_asked_at is not None and ctx.now() - state.deletion_asked_at > TAKEN_BACK_WITHIN


def _folded_email(cmd: Register) -> str | None:
    return None if cmd.email is None else folded(cmd.email)


def _taken(*fields: str) -> CommandError:
    are = "is" if len(fields) == 1 else "are"
    return CommandError(CONFLICT, f"This {' and '.join(fields)} {are} taken.", fields=dict.fromkeys(fields, "is taken"))

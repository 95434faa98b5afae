"""Limits of wrong passwords and of registrations. What succeeds is no wrong password, what fails no registration.

The attempts of a network, of whatever outcome, are counted before by the limits of the commands.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from handlers.context import PrepareContext
from handlers.ports import PasswordVerdict
from realtime.contract.errors import RATE_LIMITED, CommandError
from realtime.contract.rate_limit import RateLimit
from realtime.limits.limiter import Check, Decision
from realtime.limits.networks import network_of
from sql.accounts import CredentialsRow

PER_ACCOUNT_AND_NETWORK: Final = RateLimit(10, 300)
PER_NETWORK: Final = RateLimit(50, 300)
"""Over all accounts."""
PER_ACCOUNT: Final = RateLimit(500, 3_600)
"""Over all networks from which the account was not used before; four networks that guess as fast as they may do not
reach it."""


async def verify_password(
    ctx: PrepareContext, account: str, stored: CredentialsRow | None, password: str
) -> PasswordVerdict:
    """Verifies a password. Only a wrong one counts, also for an unknown account (None).

    `account` is what wrong ones are counted by. Raises CommandError `rate_limited`.
    """
    limiter = ctx.services.limiter
    checks = _wrong_passwords(ctx, account, is_known_network=stored is not None and stored.is_known_network)
    _require(await limiter.peek(checks))  # who is refused does not queue for a turn
    async with ctx.services.passwords.turn() as turn:
        # Counted before it is known to be wrong, so that no number of guesses at the same time exceeds the limit. Few
        # have a turn at the same time, so that right passwords do not refuse each other.
        _require(await limiter.hit(checks))
        verdict = await turn.verify(None if stored is None else stored.password_hash, password)
        if verdict.correct:
            await limiter.give_back(checks)
    return verdict


@asynccontextmanager
async def counted_registration(ctx: PrepareContext) -> AsyncIterator[None]:
    """Counts a registration, unless its block raises. Raises CommandError `rate_limited`."""
    _require(await ctx.services.limiter.hit(_registrations(ctx)))
    try:
        yield
    except BaseException:
        await give_registration_back(ctx)
        raise


async def give_registration_back(ctx: PrepareContext) -> None:
    """Undoes the count of a registration that failed after all."""
    await ctx.services.limiter.give_back(_registrations(ctx))


def _wrong_passwords(ctx: PrepareContext, account: str, *, is_known_network: bool) -> Sequence[Check]:
    factor, network = ctx.services.policy.rate_limit_factor, network_of(ctx.caller.address)
    checks: list[Check] = [
        (f"password.account_and_network:{account}:{network}", PER_ACCOUNT_AND_NETWORK.scaled(factor), 1),
        (f"password.network:{network}", PER_NETWORK.scaled(factor), 1),
    ]
    if not is_known_network:
        checks.append((f"password.account:{account}", PER_ACCOUNT.scaled(factor), 1))
    return checks


def _registrations(ctx: PrepareContext) -> Sequence[Check]:
    policy = ctx.services.policy
    rate = RateLimit(policy.registrations_per_hour, 3_600).scaled(policy.rate_limit_factor)
    return [(f"registrations:{network_of(ctx.caller.address)}", rate, 1)]


def _require(decision: Decision) -> None:
    if not decision.allowed:
        raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)

"""Limits of password attempts: on one account from all addresses, and from one network on all accounts."""

from __future__ import annotations

from typing import Final

from handlers.context import PrepareContext
from realtime.contract.errors import RATE_LIMITED, CommandError
from realtime.contract.rate_limit import RateLimit
from realtime.limits.limiter import Check
from realtime.limits.networks import network_of

PER_ACCOUNT: Final = RateLimit(10, 300)
PER_ADDRESS: Final = RateLimit(50, 300)


async def count_attempt(ctx: PrepareContext, account: str) -> None:
    """Counts one attempt at an account, right or wrong, also at an unknown one. Raises CommandError `rate_limited`."""
    factor = ctx.services.policy.rate_limit_factor
    checks: list[Check] = [
        (f"password.account:{account}", PER_ACCOUNT.scaled(factor), 1),
        (f"password.address:{network_of(ctx.caller.address)}", PER_ADDRESS.scaled(factor), 1),
    ]
    decision = await ctx.services.limiter.hit(checks)
    if not decision.allowed:
        raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)

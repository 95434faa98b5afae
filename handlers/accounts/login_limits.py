"""How often passwords may be tried: against one account from everywhere, and from one address against all accounts."""

from __future__ import annotations

from typing import Final

from handlers.context import Beforehand
from realtime.contract import RateLimit
from realtime.errors import RATE_LIMITED, CommandError
from realtime.limits import Check, Rate
from realtime.networks import network_of

PER_ACCOUNT: Final = RateLimit(10, 300)
PER_ADDRESS: Final = RateLimit(50, 300)


async def count_attempt(beforehand: Beforehand, account: str) -> None:
    """Counts one attempt at an account, right or wrong, existing or not. Raises CommandError `rate_limited`."""
    factor = beforehand.services.policy.rate_limit_factor
    checks: list[Check] = [
        (f"password.account:{account}", _scaled(PER_ACCOUNT, factor), 1),
        (f"password.address:{network_of(beforehand.caller.address)}", _scaled(PER_ADDRESS, factor), 1),
    ]
    decision = await beforehand.services.limiter.hit(checks)
    if not decision.allowed:
        raise CommandError(RATE_LIMITED, retry_after_ms=decision.retry_after_ms)


def _scaled(limit: RateLimit, factor: float) -> Rate:
    return Rate(max(1, round(limit.count * factor)), limit.per_s)

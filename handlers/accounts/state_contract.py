"""The command that deletes one's account, and Facts of accounts that are hidden or come back."""

from __future__ import annotations

import datetime
from typing import Final

from handlers.accounts.password_rules import TypedPassword
from realtime.contract.declarations import Command, Fact, Repeat, Route
from realtime.contract.errors import FORBIDDEN
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import Model, Nothing, Payload, WireId

NAMESPACE: Final = "/users"

TAKEN_BACK_WITHIN: Final = datetime.timedelta(days=14)
"""How long a deleted account can be taken back."""


class DeleteUser(Payload):
    password: TypedPassword


class AccountData(Model):
    user_id: WireId


ACCOUNT_HIDDEN: Final = Fact(name="account.hidden", model=AccountData, key="user_id")
"""A user was suspended, or has deleted their account."""
ACCOUNT_SHOWN: Final = Fact(name="account.shown", model=AccountData, key="user_id")
"""The last of these was taken back."""

USER_DELETE: Final = Command(
    name="user:delete",
    namespace=NAMESPACE,
    payload=DeleteUser,
    ack=Nothing,
    effect=(
        "Deletes the caller's account: at once they are logged out everywhere, and nobody sees them or what they "
        "published. Logging in within 14 days takes that back; then all is erased but the caller's messages, and "
        "comments that others replied to, without their text. `forbidden` if `password` is wrong."
    ),
    repeat=Repeat.ACTS,
    rate=RateLimit(60, 300),
    example={"password": "analytical engine"},
    errors=(FORBIDDEN,),
    routes=(Route("DELETE", "/users/me", with_body=True), Route("DELETE", "/users/{caller_id}", with_body=True)),
)

"""Tells all nodes again who is hidden: the process that hid them may have died before it said so."""

from __future__ import annotations

from handlers.accounts.state_contract import ACCOUNT_HIDDEN, ACCOUNT_SHOWN, AccountData
from handlers.context import Context, Reaction
from handlers.feature import Consumer, on_each
from handlers.subjects import restore_person, withdraw_person
from sql.ids import UserId


async def tell_state(ctx: Context, changed: AccountData) -> Reaction:
    """Goes by the present state: Facts may come late, and twice."""
    user_id = UserId(changed.user_id)
    state = await ctx.db.accounts.read_state(user_id=user_id)
    is_hidden = state is None or state.is_hidden
    return Reaction(signals=withdraw_person(user_id) if is_hidden else restore_person(user_id))


ACCOUNT_STATES = Consumer("account_states", (on_each(ACCOUNT_HIDDEN, tell_state), on_each(ACCOUNT_SHOWN, tell_state)))

"""The use cases of presence. They use Redis before the unit opens; the unit then runs one statement."""

from __future__ import annotations

from handlers.context import Call, Context, Outcome, PrepareContext
from handlers.presence.contract import PresenceAck, UnwatchPresence, WatchPresence
from realtime.contract.wire import NOTHING, Nothing, unix_ms
from realtime.redis.client import StoreUnavailable
from sql.ids import UserId


async def start_watch(ctx: PrepareContext, command: WatchPresence) -> set[int]:
    """The users who are online. Hidden users are watched too until the unit reads the blocks; no push tells of them."""
    user_ids = list(dict.fromkeys(command.user_ids))
    if ctx.session.is_live:
        return await ctx.session.watch(user_ids)
    try:
        return await ctx.services.presence.online(user_ids)
    except StoreUnavailable:
        return set()


async def watch(ctx: Context, command: WatchPresence, online: set[int]) -> Outcome[PresenceAck]:
    user_ids = [UserId(user_id) for user_id in dict.fromkeys(command.user_ids)]
    rows = await ctx.db.people.list_last_seen(viewer_ids=[ctx.user_id] * len(user_ids), user_ids=user_ids)
    seen = {row.user_id: row.last_active_at for row in rows}
    if ctx.session.is_live:
        await ctx.session.unwatch([user_id for user_id in user_ids if user_id not in seen])
    return Outcome(
        PresenceAck(online={user_id: True if user_id in online else unix_ms(at) for user_id, at in seen.items()})
    )


async def unwatch(call: Call, command: UnwatchPresence) -> Outcome[Nothing]:
    await call.session.unwatch(command.user_ids)
    return Outcome(NOTHING)

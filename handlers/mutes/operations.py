"""The use cases of mutes."""

from __future__ import annotations

from handlers.access import may_see_person, require_visible
from handlers.context import Context, Outcome, RaisedFact
from handlers.mutes.contract import MUTE_BEGUN, MuteData, MuteUser, Muting
from handlers.people.contract import NamedUser
from handlers.people.relations import relation_told
from handlers.subjects import feed_subject
from realtime.contract.emissions import Restore, Withdraw
from realtime.contract.errors import CONFLICT, INVALID_PAYLOAD, CommandError
from realtime.contract.wire import moment_of
from sql.ids import UserId


async def mute(ctx: Context, cmd: MuteUser) -> Outcome[Muting]:
    other_id = UserId(cmd.user_id)
    if other_id == ctx.user_id:
        raise CommandError(CONFLICT, "You cannot mute yourself.")
    until = None if cmd.until_ms is None else moment_of(cmd.until_ms)
    if until is not None and until <= ctx.now():
        raise CommandError(INVALID_PAYLOAD, fields={"until_ms": "must be in the future"})
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    other = await ctx.db.people.read_person(viewer_id=ctx.user_id, user_id=other_id)
    require_visible(other is not None and may_see_person(other.viewer))
    done = await ctx.db.graph.set_mute(muter_id=ctx.user_id, muted_id=other_id, muted_until=until)
    begun = RaisedFact(MUTE_BEGUN, MuteData(muter_id=ctx.user_id, muted_id=other_id))
    return Outcome(
        Muting(muted=True, muted_until_ms=cmd.until_ms),
        pushes=(await relation_told(ctx, ctx.user_id, other_id),) if done.changed else (),
        facts=(begun,) if done.changed else (),
        signals=(Withdraw(feed_subject(other_id).name, user_ids=(ctx.user_id,)),),
    )


async def unmute(ctx: Context, cmd: NamedUser) -> Outcome[Muting]:
    other_id = UserId(cmd.user_id)
    await ctx.db.people.lock_users(user_ids=[ctx.user_id])
    had_mute = await ctx.db.graph.delete_mute(muter_id=ctx.user_id, muted_id=other_id)
    return Outcome(
        Muting(muted=False),
        pushes=(await relation_told(ctx, ctx.user_id, other_id),) if had_mute else (),
        signals=(Restore(feed_subject(other_id).name, (ctx.user_id,)),),
    )

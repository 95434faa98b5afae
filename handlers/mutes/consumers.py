"""What follows when the time of a mute is over."""

from __future__ import annotations

from handlers.context import Context, Reaction
from handlers.feature import Consumer, on_each
from handlers.mutes.contract import MUTE_ENDED, MuteData
from handlers.people.relations import relation_told
from handlers.subjects import feed_subject
from realtime.contract.emissions import Restore
from sql.ids import UserId


async def tell_end(ctx: Context, ended: MuteData) -> Reaction:
    """Tells the muter's devices, and lets new posts of the other user reach them again.

    Not where they have muted the user anew meanwhile.
    """
    muter_id, muted_id = UserId(ended.muter_id), UserId(ended.muted_id)
    related = await ctx.db.graph.read_related(viewer_id=muter_id, other_id=muted_id)
    if related.muted:
        return Reaction()
    told = await relation_told(ctx, muter_id, muted_id)
    return Reaction(pushes=(told,), signals=(Restore(feed_subject(muted_id).name, (muter_id,)),))


MUTE_ENDS = Consumer("mute_ends", (on_each(MUTE_ENDED, tell_end),))

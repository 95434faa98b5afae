"""Watching one post live."""

from __future__ import annotations

from handlers.access import may_see_content, require_visible
from handlers.context import Call, Context, Outcome, PrepareContext
from handlers.posts.bodies import post_ack
from handlers.posts.contract import NamedPost, PostAck
from handlers.posts.rooms import post_room, post_scope
from realtime.contract.encoded import Encoded
from realtime.contract.errors import FORBIDDEN, NOT_FOUND, CommandError
from realtime.contract.wire import NOTHING, Nothing
from sql.database import Database
from sql.ids import PostId, UserId
from sql.posts import PostRow


async def enter_room(ctx: PrepareContext, command: NamedPost) -> str:
    """Enters the room of a post that the caller may see; every change after the read of the unit is told there."""
    _require_live_session(ctx)
    room = _room_of(await _visible_post(ctx.reads, ctx.user_id, command))
    await ctx.session.enter(room)
    return room


async def watch_post(ctx: Context, command: NamedPost, entered: str) -> Outcome[Encoded[PostAck]]:
    """Reads the post as of a moment at which the caller was in its room."""
    try:
        row = await _visible_post(ctx.db, ctx.user_id, command)
        while (room := _room_of(row)) != entered:
            await ctx.session.enter(room)
            entered, row = room, await _visible_post(ctx.db, ctx.user_id, command)
    except CommandError:
        await ctx.session.leave(post_scope(command.post_id))
        raise
    return Outcome(await post_ack(ctx, row))


async def unwatch_post(call: Call, command: NamedPost) -> Outcome[Nothing]:
    _require_live_session(call)
    await call.session.leave(post_scope(command.post_id))
    return Outcome(NOTHING)


async def _visible_post(db: Database, viewer_id: UserId, command: NamedPost) -> PostRow:
    row = await db.posts.read_post(viewer_id=viewer_id, post_id=PostId(command.post_id))
    if row is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_content(row.viewer, row.visibility))
    return row


def _room_of(row: PostRow) -> str:
    return post_room(row.id, row.author.id, row.visibility)


def _require_live_session(call: Call) -> None:
    if not call.session.is_live:
        raise CommandError(FORBIDDEN, "Only a live connection can watch a post: read it instead.")

"""Moves the read and the delivered position of a member of a conversation."""

from __future__ import annotations

from handlers.chat.contract import RECEIPT_UPDATED, MovePosition, PositionAck, Receipt
from handlers.chat.rooms import rooms_to_push
from handlers.context import Context, Outcome
from realtime.contract.emissions import emission
from realtime.contract.errors import INVALID_PAYLOAD, NOT_FOUND, CommandError
from sql.ids import ConversationId


async def mark_read(ctx: Context, cmd: MovePosition) -> Outcome[PositionAck]:
    """What is read was delivered."""
    return await _move(ctx, cmd, read_seq=cmd.seq)


async def mark_delivered(ctx: Context, cmd: MovePosition) -> Outcome[PositionAck]:
    return await _move(ctx, cmd, read_seq=0)


async def _move(ctx: Context, cmd: MovePosition, *, read_seq: int) -> Outcome[PositionAck]:
    """Pushes a receipt when a position moved, except to members with a block between them and the caller.

    Raises `invalid_payload` for a `seq` above the last message.
    """
    row = await ctx.db.chat.move_position(
        conversation_id=ConversationId(cmd.conversation_id),
        user_id=ctx.user_id,
        read_seq=read_seq,
        delivered_seq=cmd.seq,
    )
    if row is None:
        raise CommandError(NOT_FOUND)
    if cmd.seq > row.last_seq:
        raise CommandError(INVALID_PAYLOAD, fields={"seq": f"the last message is {row.last_seq}"})
    ack = PositionAck(
        conversation_id=cmd.conversation_id,
        delivered_seq=row.delivered_seq,
        read_seq=row.read_seq,
        unread_count=row.last_seq - row.read_seq,
    )
    if not row.changed:
        return Outcome(ack)
    receipt = Receipt(
        conversation_id=cmd.conversation_id,
        user_id=ctx.user_id,
        delivered_seq=row.delivered_seq,
        read_seq=row.read_seq,
    )
    rooms = rooms_to_push(cmd.conversation_id, row.hearers)
    return Outcome(ack, pushes=tuple(emission(RECEIPT_UPDATED, receipt, room) for room in rooms))

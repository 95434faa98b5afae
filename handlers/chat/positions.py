"""How far each member of a conversation is."""

from __future__ import annotations

from handlers.chat.contract import RECEIPT_UPDATED, MovePosition, PositionAck, Receipt
from handlers.chat.rooms import conversation_room
from handlers.context import Context, Outcome
from realtime.contract.emissions import ToRoom, emission
from realtime.contract.errors import INVALID_PAYLOAD, NOT_FOUND, CommandError
from sql.chat import PositionRow
from sql.ids import ConversationId


async def mark_read(ctx: Context, cmd: MovePosition) -> Outcome[PositionAck]:
    """What is read was delivered."""
    row = await ctx.db.chat.mark_read(
        conversation_id=ConversationId(cmd.conversation_id), user_id=ctx.user_id, seq=cmd.seq
    )
    return _moved(ctx, cmd, row)


async def mark_delivered(ctx: Context, cmd: MovePosition) -> Outcome[PositionAck]:
    row = await ctx.db.chat.mark_delivered(
        conversation_id=ConversationId(cmd.conversation_id), user_id=ctx.user_id, seq=cmd.seq
    )
    return _moved(ctx, cmd, row)


def _moved(ctx: Context, cmd: MovePosition, row: PositionRow | None) -> Outcome[PositionAck]:
    """The others hear of a position that moved. A number above the last message ends the command, and moves nothing."""
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
    room = ToRoom(conversation_room(cmd.conversation_id))
    return Outcome(ack, pushes=(emission(RECEIPT_UPDATED, receipt, room),))

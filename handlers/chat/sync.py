"""Reading the messages that a client missed."""

from __future__ import annotations

from itertools import groupby

from handlers.chat.contract import (
    SYNC_BYTES_MAX,
    SYNC_CONVERSATIONS_MAX,
    SYNC_MESSAGES_MAX,
    Sync,
    SyncAck,
    SyncedConversation,
)
from handlers.chat.views import message_view
from handlers.context import Context, Outcome
from sql.chat import MissedRow
from sql.ids import ConversationId


async def sync_chat(ctx: Context, cmd: Sync) -> Outcome[SyncAck]:
    """Leaves out conversations of others: that hides as much as `not_found`, and the rest is still answered."""
    named = [ConversationId(conversation_id) for conversation_id in cmd.positions]
    missed = await ctx.db.chat.sync_messages(
        viewer_id=ctx.user_id,
        conversation_ids=named,
        after_seqs=list(cmd.positions.values()),
        page_size=SYNC_MESSAGES_MAX,
        bytes_max=SYNC_BYTES_MAX,
        beside_max=SYNC_CONVERSATIONS_MAX,
    )
    conversations = [
        _synced_conversation(list(rows), cmd.positions.get(conversation_id, 0))
        for conversation_id, rows in groupby(missed, key=lambda row: row.conversation_id)
    ]
    return Outcome(SyncAck(conversations=conversations))


def _synced_conversation(rows: list[MissedRow], position: int) -> SyncedConversation:
    messages = [message_view(row.message) for row in rows if row.message is not None]
    last_seq = rows[0].last_seq
    reached = messages[-1].seq if messages else position
    return SyncedConversation(
        conversation_id=rows[0].conversation_id, messages=messages, last_seq=last_seq, truncated=reached < last_seq
    )

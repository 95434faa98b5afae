"""Reading what changed in single conversations."""

from __future__ import annotations

from itertools import groupby

from handlers.chat.sync_contract import (
    SYNC_BYTES_MAX,
    SYNC_CONVERSATIONS_MAX,
    SYNC_MESSAGES_MAX,
    Sync,
    SyncAck,
    SyncedConversation,
)
from handlers.chat.views import message_view
from handlers.context import Context, Outcome
from sql.chat import ChangedMessageRow
from sql.ids import ConversationId


async def sync_chat(ctx: Context, cmd: Sync) -> Outcome[SyncAck]:
    """Leaves out conversations of others: that hides as much as `not_found`, and the rest is still answered."""
    rows = await ctx.db.chat.read_changes(
        viewer_id=ctx.user_id,
        conversation_ids=[ConversationId(conversation_id) for conversation_id in cmd.positions],
        after_revs=list(cmd.positions.values()),
        page_size=SYNC_MESSAGES_MAX,
        byte_limit=SYNC_BYTES_MAX,
        beside_limit=SYNC_CONVERSATIONS_MAX,
    )
    conversations = [
        _synced_conversation(list(changed), cmd.positions.get(conversation_id))
        for conversation_id, changed in groupby(rows, key=lambda row: row.conversation_id)
    ]
    return Outcome(SyncAck(conversations=conversations))


def _synced_conversation(rows: list[ChangedMessageRow], position: int | None) -> SyncedConversation:
    """`position` is None for a conversation that the client did not name."""
    messages = [row.message for row in rows if row.message is not None]
    last_rev = rows[0].last_rev
    truncated = rows[0].change_count > len(messages) if position is not None else last_rev > 0
    reached = messages[-1].rev if messages else position or 0
    return SyncedConversation(
        conversation_id=rows[0].conversation_id,
        messages=[message_view(message) for message in messages if not message.is_deleted],
        removed_seqs=[message.seq for message in messages if message.is_deleted],
        rev=reached if truncated else last_rev,
        last_seq=rows[0].last_seq,
        truncated=truncated,
    )

"""Which rooms chat is heard in."""

from __future__ import annotations

from handlers.context import Context


def conversation_room(conversation_id: int) -> str:
    """Everybody in one conversation, on all of their devices."""
    return f"conversation:{conversation_id}"


async def rooms_at_entry(ctx: Context) -> list[str]:
    """The rooms of all conversations of the caller."""
    found = await ctx.sql.chat.list_conversation_ids(ctx.connection, user_id=ctx.user_id)
    return [conversation_room(conversation_id) for conversation_id in found]

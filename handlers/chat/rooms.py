"""The rooms of chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sql.database import Database
from sql.ids import UserId


def conversation_room(conversation_id: int) -> str:
    """The room of all devices of all members of a conversation."""
    return f"conversation:{conversation_id}"


async def entry_rooms(db: Database, user_ids: Sequence[UserId]) -> Mapping[UserId, list[str]]:
    """The rooms of all conversations of these users."""
    found: dict[UserId, list[str]] = {}
    for row in await db.chat.list_memberships(user_ids=list(user_ids)):
        found.setdefault(row.user_id, []).append(conversation_room(row.conversation_id))
    return found

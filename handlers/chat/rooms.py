"""The rooms of chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from realtime.contract.emissions import ToRoom
from realtime.pubsub.room_names import person_room
from sql.database import Database
from sql.ids import UserId


def conversation_room(conversation_id: int) -> str:
    """The room of all devices of all members of a conversation, and of those who do not know of it yet."""
    return f"conversation:{conversation_id}"


def rooms_to_push(conversation_id: int, hearers: Sequence[UserId] | None) -> list[ToRoom]:
    """The recipients of a push: all members of the conversation, or only these ones, each in their own room."""
    if hearers is None:
        return [ToRoom(conversation_room(conversation_id))]
    return [ToRoom(person_room(user_id)) for user_id in hearers]


async def entry_rooms(db: Database, user_ids: Sequence[UserId]) -> Mapping[UserId, list[str]]:
    """The rooms of all conversations of these users."""
    found: dict[UserId, list[str]] = {}
    for row in await db.chat.list_memberships(user_ids=list(user_ids)):
        found.setdefault(row.user_id, []).append(conversation_room(row.conversation_id))
    return found

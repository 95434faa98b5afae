"""Conversations, their members and their numbered messages."""

import datetime
from typing import NamedTuple, Protocol

from sql.ids import ActivityId, ConversationId, MessageId, UserId
from sql.people import CardRow, RelationRow


class OpenedRow(NamedTuple):
    id: ConversationId
    joined: bool
    """False when the viewer had joined before."""


class MemberRow(NamedTuple):
    role: str
    delivered_seq: int | None
    """This and `read_seq` are None where one of viewer and member blocks the other."""
    read_seq: int | None
    user: CardRow


class MessageRow(NamedTuple):
    conversation_id: ConversationId
    seq: int
    id: MessageId
    text: str
    """Where `is_deleted`, still the old text, which must not be shown."""
    reply_to_seq: int | None
    client_id: str | None
    created_at: datetime.datetime
    edited_at: datetime.datetime | None
    is_deleted: bool
    sender: CardRow


class ConversationMemberRow(NamedTuple):
    """One member of a conversation, and the conversation as the viewer has it, the same in every row."""

    id: ConversationId
    kind: str
    title: str | None
    last_seq: int
    last_activity_id: ActivityId
    viewer_read_seq: int
    viewer_muted: bool
    unread_count: int
    last_message: MessageRow | None
    member: MemberRow


class MembershipRow(NamedTuple):
    user_id: UserId
    conversation_id: ConversationId


class DirectRow(NamedTuple):
    id: ConversationId
    last_seq: int
    other_id: UserId
    viewer: RelationRow
    """The viewer's relation to the other user."""


class PositionRow(NamedTuple):
    changed: bool
    """False when the position was there, or further on, before."""
    read_seq: int
    delivered_seq: int
    last_seq: int
    hearers: list[UserId] | None
    """The members who may hear of the change, where a block keeps others from it; None: all."""


class DirectMessageRow(NamedTuple):
    receiver: MemberRow
    """The member who did not send the message."""
    message: MessageRow


class MissedRow(NamedTuple):
    conversation_id: ConversationId
    last_seq: int
    message: MessageRow | None
    """None, in the only row of its conversation: it was not named, nothing was missed, or all was left out."""


class ChatQueries(Protocol):
    async def find_direct(self, *, viewer_id: UserId, other_id: UserId) -> ConversationId | None:
        """None also for a conversation that the other user opened, and in which nothing was said yet."""
        ...

    async def open_direct(self, *, viewer_id: UserId, other_id: UserId) -> OpenedRow:
        """The other user joins with the first message: call join_members then."""
        ...

    async def join_members(self, *, conversation_id: ConversationId) -> list[UserId]:
        """Those who had not joined before."""
        ...

    async def read_conversation(
        self, *, viewer_id: UserId, conversation_id: ConversationId
    ) -> list[ConversationMemberRow]: ...

    async def list_conversations(
        self, *, viewer_id: UserId, before: ActivityId, page_size: int
    ) -> list[ConversationMemberRow]:
        """`before` is a `last_activity_id`; the rows of one conversation follow each other."""
        ...

    async def list_memberships(self, *, user_ids: list[UserId]) -> list[MembershipRow]: ...

    async def lock_direct(self, *, viewer_id: UserId, conversation_id: ConversationId) -> DirectRow | None:
        """Locks the conversation: until the transaction ends, no other transaction numbers a message of it."""
        ...

    async def insert_message(
        self,
        *,
        conversation_id: ConversationId,
        sender_id: UserId,
        text: str,
        reply_to_seq: int | None,
        client_id: str | None,
    ) -> MessageRow | None:
        """None: no such conversation, not a member, or a repeated client_id (see find_message).

        After lock_direct it sees every earlier try; without it, one that is committed at this moment raises
        UniqueViolated (`messages_client_id_key`).
        """
        ...

    async def find_message(
        self, *, conversation_id: ConversationId, sender_id: UserId, client_id: str
    ) -> MessageRow | None: ...

    async def list_messages_before(
        self,
        *,
        viewer_id: UserId,
        conversation_id: ConversationId,
        before_seq: int,
        page_size: int,
    ) -> list[MessageRow]: ...

    async def list_messages_after(
        self,
        *,
        viewer_id: UserId,
        conversation_id: ConversationId,
        after_seq: int,
        page_size: int,
    ) -> list[MessageRow]: ...

    async def list_direct_messages(
        self, *, viewer_id: UserId, before: MessageId, skip: int, page_size: int
    ) -> list[DirectMessageRow]: ...

    async def move_position(
        self, *, conversation_id: ConversationId, user_id: UserId, read_seq: int, delivered_seq: int
    ) -> PositionRow | None:
        """What is read was delivered: `read_seq` is at most `delivered_seq`. None: not a member."""
        ...

    async def sync_messages(
        self,
        *,
        viewer_id: UserId,
        conversation_ids: list[ConversationId],
        after_seqs: list[int],
        page_size: int,
        bytes_max: int,
        beside_max: int,
    ) -> list[MissedRow]:
        """The rows of one conversation follow each other; `last_seq` shows whether it has more messages than these.

        Named conversations come first, and in both parts the last active ones.
        """
        ...

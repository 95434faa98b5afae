"""Conversations, their members and their numbered messages."""

import datetime
from typing import Final, NamedTuple, Protocol

from sql.execution.joining import joined, joined_up_to, joined_write
from sql.ids import ActivityId, ConversationId, MessageId, UserId
from sql.people import ViewedCardRow

LARGE_ANSWERS_MAX: Final = 16
"""Calls of one statement, where each may be answered with half a megabyte."""


class OpenedRow(NamedTuple):
    id: ConversationId
    joined: bool
    """False when the viewer had joined before."""


class MemberRow(NamedTuple):
    role: str
    delivered_seq: int | None
    """This and `read_seq` are None where one of viewer and member blocks the other."""
    read_seq: int | None
    user: ViewedCardRow


class MessageRow(NamedTuple):
    conversation_id: ConversationId
    seq: int
    rev: int
    """The number of its last change among those of the conversation."""
    id: MessageId
    text: str
    """Where `is_deleted`, still the old text, which must not be shown."""
    reply_to_seq: int | None
    client_id: str | None
    created_at: datetime.datetime
    edited_at: datetime.datetime | None
    is_deleted: bool
    sender: ViewedCardRow


class ConversationMemberRow(NamedTuple):
    """One member of a conversation, and the conversation as the viewer has it, the same in every row."""

    id: ConversationId
    kind: str
    title: str | None
    last_seq: int
    rev: int
    last_activity_id: ActivityId
    viewer_read_seq: int
    viewer_muted: bool
    unread_count: int
    last_message: MessageRow | None
    member: MemberRow


class MembershipRow(NamedTuple):
    user_id: UserId
    conversation_id: ConversationId


class SentRow(NamedTuple):
    outcome: str
    """`sent`; `sent_before`: an earlier call with this client_id sent it; `conflict`: that one had other content.

    `forbidden`: one of the two blocks the other; `no_such_reply`: there is no message `reply_to_seq`.
    """
    last_seq: int
    last_rev: int
    other_id: UserId
    is_blocked: bool
    """Whether one of the two blocks the other."""
    is_new_to_somebody: bool
    """One of the two joined so lately that not all nodes may have put their sessions into its room."""
    joined_ids: list[UserId]
    """Those who joined the conversation with its first message."""
    message: MessageRow | None
    """As it is now; of the earlier call where `sent_before` or `conflict`, None where nothing was sent."""


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


class ChangedMessageRow(NamedTuple):
    conversation_id: ConversationId
    last_rev: int
    last_seq: int
    change_count: int
    """Messages of the conversation with a change above the rev, one too many counted at most."""
    message: MessageRow | None
    """None, in the only row of its conversation: it was not named, nothing has changed, or all was left out."""


class ChangedConversationRow(NamedTuple):
    changed_count: int
    """The conversations with changes on this page and after it, up to the limit; the same in every row."""
    conversation: ConversationMemberRow


class MessageChangesRow(NamedTuple):
    conversation_id: ConversationId
    changed_count: int
    """The conversations with changes on this page and after it, up to the limit; the same in every row."""
    after_rev: int | None
    """All changes lie above it; None: more than a fresh read of the conversation has, or it is new to the viewer."""


class ChatQueries(Protocol):
    async def find_direct(self, *, viewer_id: UserId, other_id: UserId) -> ConversationId | None:
        """None also for a conversation that the other user opened, and in which nothing was said yet."""
        ...

    async def open_direct(self, *, viewer_id: UserId, other_id: UserId) -> OpenedRow:
        """The other user joins with the first message."""
        ...

    @joined
    async def read_conversation(
        self, *, viewer_id: UserId, conversation_id: ConversationId
    ) -> list[ConversationMemberRow]: ...

    @joined
    async def list_conversations(
        self, *, viewer_id: UserId, before: ActivityId, page_size: int
    ) -> list[ConversationMemberRow]:
        """`before` is a `last_activity_id`; the rows of one conversation follow each other."""
        ...

    async def list_memberships(self, *, user_ids: list[UserId]) -> list[MembershipRow]: ...

    @joined_write("conversation_id", several=True)
    async def send_message(
        self,
        *,
        conversation_id: ConversationId,
        sender_id: UserId,
        text: str,
        reply_to_seq: int | None,
        client_id: str | None,
    ) -> SentRow | None:
        """None: no such conversation of the sender. In a transaction it stays locked until the end."""
        ...

    @joined
    async def list_messages_before(
        self,
        *,
        viewer_id: UserId,
        conversation_id: ConversationId,
        before_seq: int,
        page_size: int,
    ) -> list[MessageRow]: ...

    @joined
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

    @joined_write("conversation_id", "user_id")
    async def move_position(
        self, *, conversation_id: ConversationId, user_id: UserId, read_seq: int, delivered_seq: int
    ) -> PositionRow | None:
        """What is read was delivered: `read_seq` is at most `delivered_seq`. None: not a member."""
        ...

    @joined_up_to(LARGE_ANSWERS_MAX)
    async def read_changes(
        self,
        *,
        viewer_id: UserId,
        conversation_ids: list[ConversationId],
        after_revs: list[int],
        page_size: int,
        byte_limit: int,
        beside_limit: int,
    ) -> list[ChangedMessageRow]:
        """The rows of one conversation follow each other; where `change_count` is larger, there are more changes.

        Named conversations come first, in the order of the call; then the last active ones.
        """
        ...

    @joined
    async def list_changed_conversations(
        self, *, viewer_id: UserId, since: int, from_id: int, page_size: int, count_limit: int
    ) -> list[ChangedConversationRow]:
        """The rows of one conversation follow each other; conversations come by rising id, from `from_id` on."""
        ...

    @joined
    async def list_message_changes(
        self, *, viewer_id: UserId, since: int, from_id: int, page_size: int, change_limit: int, count_limit: int
    ) -> list[MessageChangesRow]:
        """Conversations come by rising id, from `from_id` on."""
        ...

    @joined_up_to(LARGE_ANSWERS_MAX)
    async def list_newest_messages(
        self, *, viewer_id: UserId, conversation_limit: int, page_size: int, byte_limit: int
    ) -> list[MessageRow]:
        """The newest message of each conversation comes first, then the one before it of each."""
        ...

"""Makes the wire models of conversations and messages from rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from handlers.chat.models import Conversation, ConversationViewer, DirectMessage, Member, Message
from handlers.people.views import viewed_card_view
from realtime.contract.wire import unix_ms
from sql.chat import ConversationMemberRow, DirectMessageRow, MemberRow, MessageRow


def message_view(row: MessageRow) -> Message:
    """A message: the same for every reader, but for the card of a sender who blocks the reader."""
    return Message(
        id=row.id,
        conversation_id=row.conversation_id,
        seq=row.seq,
        rev=row.rev,
        sender=viewed_card_view(row.sender),
        text="" if row.is_deleted else row.text,
        reply_to_seq=row.reply_to_seq,
        created_at_ms=unix_ms(row.created_at),
        edited_at_ms=None if row.edited_at is None else unix_ms(row.edited_at),
        deleted=row.is_deleted or None,
        client_id=row.client_id,
    )


def direct_message_view(row: DirectMessageRow) -> DirectMessage:
    """A message of a direct conversation, with what the receiver has done with it."""
    return DirectMessage(
        message=message_view(row.message),
        receiver_id=row.receiver.user.id,
        status=message_status(row.message.seq, row.receiver),
    )


def message_status(seq: int, receiver: MemberRow) -> Literal["sent", "delivered", "read"]:
    """Whether a receiver has the message, and has read it; `sent` where one of the two blocks the other."""
    if receiver.read_seq is not None and seq <= receiver.read_seq:
        return "read"
    return "delivered" if receiver.delivered_seq is not None and seq <= receiver.delivered_seq else "sent"


def conversation_view(rows: Sequence[ConversationMemberRow]) -> Conversation:
    """A conversation from its rows, one for each member, as the viewer of these rows gets it."""
    first = rows[0]
    viewer = ConversationViewer(
        unread_count=first.unread_count, read_seq=first.viewer_read_seq, muted=first.viewer_muted
    )
    return _conversation(rows, viewer)


def pushed_conversation_view(rows: Sequence[ConversationMemberRow]) -> Conversation:
    """A conversation as a push has it: nothing in it depends on the reader."""
    return _conversation(rows, None)


def _conversation(rows: Sequence[ConversationMemberRow], viewer: ConversationViewer | None) -> Conversation:
    first = rows[0]
    return Conversation(
        id=first.id,
        kind=first.kind,
        title=first.title,
        members=[_member_view(row.member) for row in rows],
        last_seq=first.last_seq,
        rev=first.rev,
        last_message=None if first.last_message is None else message_view(first.last_message),
        viewer=viewer,
    )


def group_by_conversation(rows: Iterable[ConversationMemberRow]) -> Iterator[list[ConversationMemberRow]]:
    """Groups rows by conversation; the rows of one conversation follow each other."""
    for _, members in groupby(rows, key=lambda row: row.id):
        yield list(members)


def _member_view(row: MemberRow) -> Member:
    return Member(
        user=viewed_card_view(row.user), role=row.role, delivered_seq=row.delivered_seq, read_seq=row.read_seq
    )

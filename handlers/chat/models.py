"""The wire models of conversations and messages."""

from __future__ import annotations

from typing import Literal

from handlers.people.models import Card
from realtime.contract.wire import Model, WireId


class Message(Model):
    """One message. `seq` numbers the messages of its conversation from 1 without a hole, the same for every reader.

    `rev` is the conversation's at the last change of this message: of two copies the one with the larger is newer.
    `id` rises with `seq`, and `created_at_ms` never falls, also when messages are sent at the same time.
    By `client_id` the sender's devices recognise their own message. A deleted message keeps its number and has no text.
    """

    id: WireId
    conversation_id: WireId
    seq: int
    rev: int
    sender: Card
    text: str
    media: tuple[()] = ()
    reply_to_seq: int | None = None
    created_at_ms: int
    edited_at_ms: int | None = None
    deleted: bool | None = None
    client_id: str | None = None


class DirectMessage(Model):
    """A message of a direct conversation, and whether it was delivered to and read by the receiver.

    `sent` is all that a sender learns where one of the two blocks the other.
    """

    message: Message
    receiver_id: WireId
    status: Literal["sent", "delivered", "read"]


class Member(Model):
    """A user in a conversation, with their positions: everything up to and including these `seq`s.

    Positions are absent where one of member and reader blocks the other.
    """

    user: Card
    role: Literal["owner", "admin", "member"]
    delivered_seq: int | None = None
    read_seq: int | None = None


class ConversationViewer(Model):
    """The caller's own view: `unread_count` = `last_seq` - `read_seq`, exact."""

    unread_count: int
    read_seq: int
    muted: bool


class Conversation(Model):
    """`last_seq` is 0 and `last_message` absent while there is no message. `viewer` is absent in pushes.

    `rev` counts the durable changes of the conversation: who has all up to one misses only what comes above it.
    """

    id: WireId
    kind: Literal["direct", "group"]
    title: str | None = None
    members: list[Member]
    last_seq: int
    rev: int
    last_message: Message | None = None
    viewer: ConversationViewer | None = None

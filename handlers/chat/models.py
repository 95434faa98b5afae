"""How conversations and messages look on the wire."""

from __future__ import annotations

from typing import Literal

from handlers.people.models import Card
from realtime.contract.wire import Model, WireId


class Message(Model):
    """One message. `seq` numbers the messages of its conversation from 1 without a hole, for everybody the same.

    `client_id` is what its sender called it: the sender's devices recognise their own message by it. A deleted message
    keeps its number and has no text.
    """

    id: WireId
    conversation_id: WireId
    seq: int
    sender: Card
    text: str
    media: tuple[()] = ()
    reply_to_seq: int | None = None
    created_at_ms: int
    edited_at_ms: int | None = None
    deleted: bool | None = None
    client_id: str | None = None


class DirectMessage(Model):
    """A message between two people, and how far it has come with the one who did not write it."""

    message: Message
    receiver_id: WireId
    status: Literal["sent", "delivered", "read"]


class Member(Model):
    """A person in a conversation and how far they are: everything up to and including these `seq`s."""

    user: Card
    role: Literal["owner", "admin", "member"]
    delivered_seq: int
    read_seq: int


class ConversationViewer(Model):
    """What the caller alone is told: `unread_count` = `last_seq` - own `read_seq`, exact."""

    unread_count: int
    muted: bool


class Conversation(Model):
    """`last_seq` is 0 and `last_message` absent while nobody has written. `viewer` is absent in pushes."""

    id: WireId
    kind: Literal["direct", "group"]
    title: str | None = None
    members: list[Member]
    last_seq: int
    last_message: Message | None = None
    viewer: ConversationViewer | None = None

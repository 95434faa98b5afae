"""How clients of chat catch up: the command for single conversations, and what `sync:pull` keeps of all."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from handlers.chat.contract import EXAMPLE_ID, NAMESPACE
from handlers.chat.models import Conversation, Message
from realtime.contract.collections import Collection
from realtime.contract.declarations import Command, Repeat, Route
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import MAX_ID, WHOLE, Id, Model, Payload, WireId

SYNC_CONVERSATIONS_MAX = 100
SYNC_MESSAGES_MAX = 100
"""For each conversation."""
SYNC_BYTES_MAX = 512 * 1024
"""Of one answer: half of the bytes that may be unsent to a client. The next call gets the messages above it."""


Rev = Annotated[int, Field(ge=0, le=MAX_ID), WHOLE]
"""A position among the changes of a conversation: the `rev` up to which a client has them all, 0 for none."""


class Sync(Payload):
    """`positions`: for each conversation that the client knows, the `rev` up to which it has all changes."""

    positions: Annotated[dict[Id, Rev], Field(max_length=SYNC_CONVERSATIONS_MAX)]


class SyncedConversation(Model):
    """What changed above the client's position: `messages` that are new or edited, by rising `rev`, and the `seq`s of
    those that were deleted.

    `rev` is the position that the client has then. `truncated`: there are more changes above it; sync again from there.
    It is true, with `rev` 0 and no messages, for a conversation that the client did not name and that has changes. A
    `rev` below the client's own means that the database was restored: what the client has of it is to be read anew.
    """

    conversation_id: WireId
    messages: list[Message]
    removed_seqs: list[int]
    rev: int
    last_seq: int
    truncated: bool


class SyncAck(Model):
    conversations: list[SyncedConversation]


SYNC = Command(
    name="chat:sync",
    namespace=NAMESPACE,
    payload=Sync,
    ack=SyncAck,
    effect=(
        "Reads what the caller missed in single conversations: the messages that changed above each position, at most "
        "100 a conversation, and the last active conversations that the call did not name, without messages. "
        "Conversations of others are left out."
    ),
    repeat=Repeat.READ,
    rate=RateLimit(120, 60),
    example={"positions": {EXAMPLE_ID: 0}},
    routes=(Route("POST", "/chat/sync"),),
)

CONVERSATIONS = Collection(
    name="conversations",
    item=Conversation,
    id_of=lambda conversation: str(conversation.id),
    holds=(
        "The caller's conversations, each with `viewer`; the last active ones at first. The positions of others in "
        "them, and the cards of members, are as of the last read."
    ),
    read_anew="`conversation:list`.",
)

MESSAGES = Collection(
    name="messages",
    item=Message,
    id_of=lambda message: f"{message.conversation_id}:{message.seq}",
    holds=(
        "The messages of the caller's conversations, without deleted ones; the newest of the last active conversations "
        "at first. `reset_ids` are ids of conversations. The cards of senders are as of the last read."
    ),
    read_anew="`message:list` of each conversation that is shown.",
)

"""Commands and pushes of chat.

Messages of a conversation are numbered from 1 without a hole (`seq`), and so are its durable changes (`rev`). Every
device of every member gets `message:created` in the same order; in the first seconds of a conversation, messages that
are sent at the same time may come in either order. Every durable push carries its `rev`: after a hole in the revs a
client reads what it missed with `chat:sync`, after a `resync` with `sync:pull`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from handlers.chat.models import Conversation, Message
from handlers.limits import MESSAGE_CHARS
from handlers.subjects import person_subject
from realtime.contract.declarations import Command, PositionAnnouncement, Push, Repeat, Route, Unit
from realtime.contract.errors import CONFLICT, FORBIDDEN, NOT_FOUND
from realtime.contract.payload_rules import at_most_one_of
from realtime.contract.rate_limit import RateLimit
from realtime.contract.wire import MAX_ID, WHOLE, ClientId, Id, Model, Page, PageLimit, Payload, TextRule, WireId

NAMESPACE = "/chat"
READ_RATE = RateLimit(600, 60)
EXAMPLE_ID = "185604284416000001"

Seq = Annotated[int, Field(ge=1, le=MAX_ID), WHOLE]
"""The number of a message in its conversation."""

Position = Annotated[int, Field(ge=0, le=MAX_ID), WHOLE]
"""A position in a conversation: the `seq` of the last message received or read, 0 for none."""


class OpenConversation(Payload):
    user_id: Id


class ListConversations(Payload):
    before: Id | None = None
    limit: PageLimit | None = None


class GetConversation(Payload):
    conversation_id: Id


class ConversationAck(Model):
    conversation: Conversation


class SendMessage(Payload):
    conversation_id: Id
    text: Annotated[str, TextRule(MESSAGE_CHARS, lines=True)]
    reply_to_seq: Seq | None = None
    client_id: ClientId | None = None


class MessageAck(Model):
    message: Message


class ListMessages(Payload):
    """With `after_seq`: the messages above it, oldest first. Else the newest first, below `before_seq` if given."""

    model_config = ConfigDict(json_schema_extra=at_most_one_of("before_seq", "after_seq"))

    conversation_id: Id
    before_seq: Seq | None = None
    after_seq: Position | None = None
    limit: PageLimit | None = None

    @model_validator(mode="after")
    def _one_direction(self) -> ListMessages:
        if self.before_seq is not None and self.after_seq is not None:
            raise ValueError("takes before_seq or after_seq, not both")
        return self


class MovePosition(Payload):
    conversation_id: Id
    seq: Position


class PositionAck(Model):
    """The caller's positions after the call. `unread_count` = `last_seq` - `read_seq`, exact."""

    conversation_id: WireId
    delivered_seq: int
    read_seq: int
    unread_count: int


class Receipt(Model):
    """A member's positions. They never move back: of two receipts the larger numbers are right.

    There is no receipt for a member's own message: the sender of `seq` has read up to it.
    """

    conversation_id: WireId
    user_id: WireId
    delivered_seq: int
    read_seq: int


OPEN = Command(
    name="conversation:open",
    namespace=NAMESPACE,
    payload=OpenConversation,
    ack=ConversationAck,
    effect=(
        "Opens the conversation between the caller and this user: created once, the same ever after. The other user "
        "learns of it with the first message."
    ),
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=RateLimit(60, 60),
    example={"user_id": EXAMPLE_ID},
    errors=(NOT_FOUND, FORBIDDEN),
    routes=(Route("POST", "/conversations"),),
)

LIST_CONVERSATIONS = Command(
    name="conversation:list",
    namespace=NAMESPACE,
    payload=ListConversations,
    ack=Page[Conversation],
    effect=(
        "Lists the caller's conversations, the last active first. "
        "A conversation that becomes active meanwhile moves to the top, above the pages still to be read."
    ),
    repeat=Repeat.READ,
    rate=READ_RATE,
    example={"limit": 20},
    routes=(Route("GET", "/conversations"),),
)

GET = Command(
    name="conversation:get",
    namespace=NAMESPACE,
    payload=GetConversation,
    ack=ConversationAck,
    effect="Reads one conversation of the caller, with the positions of its members.",
    repeat=Repeat.READ,
    rate=READ_RATE,
    example={"conversation_id": EXAMPLE_ID},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/conversations/{conversation_id}"),),
)

SEND = Command(
    name="message:send",
    namespace=NAMESPACE,
    payload=SendMessage,
    ack=MessageAck,
    effect=(
        "Adds a message to the conversation, under the next number. `forbidden` where one of the two blocks the other; "
        "earlier messages stay readable."
    ),
    repeat=Repeat.CLIENT_ID,
    works_on=Unit.STATEMENTS,
    rate=RateLimit(120, 60),
    example={"conversation_id": EXAMPLE_ID, "text": "Are you coming?", "client_id": "a1"},
    errors=(NOT_FOUND, FORBIDDEN, CONFLICT),
    routes=(Route("POST", "/conversations/{conversation_id}/messages", 201, renamed={"content": "text"}),),
)

LIST_MESSAGES = Command(
    name="message:list",
    namespace=NAMESPACE,
    payload=ListMessages,
    ack=Page[Message],
    effect=(
        "Lists messages, newest first, or with `after_seq` oldest first; "
        "`next_cursor` is the `before_seq` or `after_seq` of the next page."
    ),
    repeat=Repeat.READ,
    rate=READ_RATE,
    example={"conversation_id": EXAMPLE_ID, "limit": 20},
    errors=(NOT_FOUND,),
    routes=(Route("GET", "/conversations/{conversation_id}/messages"),),
)

READ = Command(
    name="message:read",
    namespace=NAMESPACE,
    payload=MovePosition,
    ack=PositionAck,
    effect="Marks all messages up to this one as read by the caller; the position never moves back.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=READ_RATE,
    example={"conversation_id": EXAMPLE_ID, "seq": 1},
    errors=(NOT_FOUND,),
    routes=(Route("PUT", "/conversations/{conversation_id}/read"),),
)

DELIVERED = Command(
    name="message:delivered",
    namespace=NAMESPACE,
    payload=MovePosition,
    ack=PositionAck,
    effect="Marks all messages up to this one as delivered to the caller; the position never moves back.",
    repeat=Repeat.SETS_STATE,
    works_on=Unit.STATEMENTS,
    rate=READ_RATE,
    example={"conversation_id": EXAMPLE_ID, "seq": 1},
    errors=(NOT_FOUND,),
    routes=(Route("PUT", "/conversations/{conversation_id}/delivered"),),
)


class ConversationPosition(Model):
    """Neither number ever moves back: of two the larger is right. A client with a lower `rev` calls `chat:sync`."""

    conversation_id: WireId
    rev: int
    last_seq: int


CONVERSATION_POSITION = Push(
    name="conversation:position",
    namespace=NAMESPACE,
    model=ConversationPosition,
    audience=(
        "All devices of the members of the conversation, within 10 s after a message and at a retry of one, in case "
        "a device missed it."
    ),
    volatile=True,
)

MESSAGE_CREATED = Push(
    name="message:created",
    namespace=NAMESPACE,
    model=MessageAck,
    audience="All devices of the members of the conversation, the sender's too.",
    subjects_of=lambda ack: (person_subject(ack.message.sender.id),),
    position=PositionAnnouncement(
        push=CONVERSATION_POSITION,
        data_of=lambda ack: ConversationPosition(
            conversation_id=ack.message.conversation_id, rev=ack.message.rev, last_seq=ack.message.seq
        ),
        number_of=lambda ack: ack.message.rev,
    ),
)

RECEIPT_UPDATED = Push(
    name="receipt:updated",
    namespace=NAMESPACE,
    model=Receipt,
    audience="All devices of the members, except where a block is in between, when a position moved.",
    subjects_of=lambda receipt: (person_subject(receipt.user_id),),
)

CONVERSATION_UPDATED = Push(
    name="conversation:updated",
    namespace=NAMESPACE,
    model=ConversationAck,
    audience=(
        "All devices of a user who opens a conversation; those of the other one with its first message, before "
        "`message:created`."
    ),
    subjects_of=lambda ack: tuple(person_subject(member.user.id) for member in ack.conversation.members),
)

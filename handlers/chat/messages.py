"""Sending and listing messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from handlers.chat.contract import (
    CONVERSATION_POSITION,
    MESSAGE_CREATED,
    NAMESPACE,
    ConversationPosition,
    ListMessages,
    MessageAck,
    SendMessage,
)
from handlers.chat.conversations import opening_pushes, read_conversation
from handlers.chat.models import Message
from handlers.chat.rooms import conversation_room, rooms_to_push
from handlers.chat.views import message_view
from handlers.context import Context, Outcome
from handlers.paging import cut_page, rows_wanted
from realtime.contract.emissions import JoinRoom, emission
from realtime.contract.errors import CONFLICT, FORBIDDEN, INVALID_PAYLOAD, NOT_FOUND, CommandError
from realtime.contract.wire import Page
from sql.chat import SentRow
from sql.ids import MAX_ID, ConversationId, UserId


class Draft(NamedTuple):
    """A message to be sent; `client_id` identifies it in retries."""

    conversation_id: ConversationId
    text: str
    reply_to_seq: int | None
    client_id: str | None


async def send_message(ctx: Context, cmd: SendMessage) -> Outcome[MessageAck]:
    return await send(ctx, Draft(ConversationId(cmd.conversation_id), cmd.text, cmd.reply_to_seq, cmd.client_id))


async def send(ctx: Context, draft: Draft, *, has_joined_now: bool = False) -> Outcome[MessageAck]:
    """A retry is answered from the row of the first try, even if sending is no longer allowed: the message was sent.

    `has_joined_now`: the caller did not have the conversation before this call.
    """
    sent = await ctx.db.chat.send_message(sender_id=ctx.user_id, **draft._asdict())
    if sent is None:
        raise CommandError(NOT_FOUND)
    if sent.message is None or sent.outcome == "conflict":
        raise _refusal(sent)
    ack = MessageAck(message=message_view(sent.message))
    if sent.outcome == "sent_before":
        return _again(ctx, sent, ack)
    if sent.message.seq == 1:
        return await _first(ctx, sent, ack, [ctx.user_id] if has_joined_now else [])
    hearers = [ctx.user_id, sent.other_id] if sent.is_new_to_somebody else None
    rooms = rooms_to_push(draft.conversation_id, hearers)
    return Outcome(ack, tuple(emission(MESSAGE_CREATED, ack, room) for room in rooms))


def _refusal(sent: SentRow) -> CommandError:
    if sent.outcome == "conflict":
        return CommandError(CONFLICT, "This client_id was used for another message.")
    if sent.outcome == "forbidden":
        return CommandError(FORBIDDEN)
    return CommandError(INVALID_PAYLOAD, fields={"reply_to_seq": "there is no such message"})


async def _first(ctx: Context, sent: SentRow, ack: MessageAck, have_joined: Sequence[UserId]) -> Outcome[MessageAck]:
    """Tells of the message in the rooms of the two, whose sessions may not be in that of the conversation yet.

    Who did not have the conversation before gets it first.
    """
    both = (ctx.user_id, sent.other_id)
    conversation_id = ConversationId(ack.message.conversation_id)
    opening = opening_pushes(await read_conversation(ctx, conversation_id), (*have_joined, *sent.joined_ids))
    created = [emission(MESSAGE_CREATED, ack, room) for room in rooms_to_push(conversation_id, both)]
    join = JoinRoom(NAMESPACE, conversation_room(conversation_id), both, is_new=True)
    return Outcome(ack, (*opening, *created), signals=(join,))


def _again(ctx: Context, sent: SentRow, ack: MessageAck) -> Outcome[MessageAck]:
    """Tells the members the last position: the node of the first try may have died before it told anybody."""
    conversation_id = ack.message.conversation_id
    hearers = [ctx.user_id] if sent.is_blocked else [ctx.user_id, sent.other_id]
    position = ConversationPosition(conversation_id=conversation_id, rev=sent.last_rev, last_seq=sent.last_seq)
    pushes = [emission(CONVERSATION_POSITION, position, room) for room in rooms_to_push(conversation_id, hearers)]
    room = conversation_room(conversation_id)
    signals = (JoinRoom(NAMESPACE, room, hearers),) if ack.message.seq == 1 else ()
    return Outcome(ack, tuple(pushes), signals=signals)


async def list_messages(ctx: Context, cmd: ListMessages) -> Outcome[Page[Message]]:
    conversation_id = ConversationId(cmd.conversation_id)
    if cmd.after_seq is not None:
        rows = await ctx.db.chat.list_messages_after(
            viewer_id=ctx.user_id,
            conversation_id=conversation_id,
            after_seq=cmd.after_seq,
            page_size=rows_wanted(cmd.limit),
        )
    else:
        rows = await ctx.db.chat.list_messages_before(
            viewer_id=ctx.user_id,
            conversation_id=conversation_id,
            before_seq=MAX_ID if cmd.before_seq is None else cmd.before_seq,
            page_size=rows_wanted(cmd.limit),
        )
    if not rows:
        await read_conversation(ctx, conversation_id)  # refuses whoever is no member
    page, next_cursor = cut_page(rows, cmd.limit, lambda row: row.seq)
    return Outcome(Page(items=[message_view(row) for row in page], next_cursor=next_cursor))

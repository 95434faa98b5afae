"""Opening conversations and looking at them."""

from __future__ import annotations

from handlers.access import may_message, may_see_person, require_allowed, require_visible
from handlers.chat.contract import (
    CONVERSATION_UPDATED,
    NAMESPACE,
    ConversationAck,
    GetConversation,
    ListConversations,
    OpenConversation,
)
from handlers.chat.models import Conversation
from handlers.chat.rooms import conversation_room
from handlers.chat.views import by_conversation, conversation_view, without_viewer
from handlers.context import Context, Outcome
from handlers.paging import cut_page, rows_wanted
from realtime.contract.emissions import Emission, JoinRoom, ToRoom, emission
from realtime.contract.errors import NOT_FOUND, CommandError
from realtime.contract.wire import Page
from realtime.pubsub.rooms import person_room
from sql.chat import OpenedRow
from sql.ids import MAX_ID, ActivityId, ConversationId, UserId


async def open_conversation(ctx: Context, cmd: OpenConversation) -> Outcome[ConversationAck]:
    opened = await open_with(ctx, UserId(cmd.user_id))
    conversation = await read_conversation(ctx, opened.id)
    ack = ConversationAck(conversation=conversation)
    if not opened.created:
        return Outcome(ack)
    both = (ctx.user_id, UserId(cmd.user_id))
    return Outcome(
        ack, pushes=news_of(conversation), signals=(JoinRoom(NAMESPACE, conversation_room(opened.id), both),)
    )


async def open_with(ctx: Context, other_id: UserId) -> OpenedRow:
    """Blocked people keep the conversation that they have; they cannot begin one."""
    low_id, high_id = sorted((ctx.user_id, other_id))
    found = await ctx.sql.chat.find_direct(ctx.connection, low_id=low_id, high_id=high_id)
    if found is not None:
        return OpenedRow(found, created=False)
    other = await ctx.sql.people.read_person(ctx.connection, viewer_id=ctx.user_id, user_id=other_id)
    if other is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_person(other.viewer))
    require_allowed(may_message(other.viewer))
    return await ctx.sql.chat.open_direct(ctx.connection, low_id=low_id, high_id=high_id)


def news_of(conversation: Conversation) -> tuple[Emission, ...]:
    """What its members hear, each on all devices, of a conversation that was just opened."""
    news = ConversationAck(conversation=without_viewer(conversation))
    return tuple(
        emission(CONVERSATION_UPDATED, news, ToRoom(person_room(member.user.id))) for member in conversation.members
    )


async def list_conversations(ctx: Context, cmd: ListConversations) -> Outcome[Page[Conversation]]:
    rows = await ctx.sql.chat.list_conversations(
        ctx.connection,
        viewer_id=ctx.user_id,
        before=ActivityId(MAX_ID if cmd.before is None else cmd.before),
        page_size=rows_wanted(cmd.limit),
    )
    page, next_cursor = cut_page(list(by_conversation(rows)), cmd.limit, lambda members: members[0].last_activity_id)
    return Outcome(Page(items=[conversation_view(members) for members in page], next_cursor=next_cursor))


async def show_conversation(ctx: Context, cmd: GetConversation) -> Outcome[ConversationAck]:
    return Outcome(ConversationAck(conversation=await read_conversation(ctx, ConversationId(cmd.conversation_id))))


async def read_conversation(ctx: Context, conversation_id: ConversationId) -> Conversation:
    """A conversation as the caller has it; `not_found` for other people's."""
    rows = await ctx.sql.chat.read_conversation(ctx.connection, viewer_id=ctx.user_id, conversation_id=conversation_id)
    if not rows:
        raise CommandError(NOT_FOUND)
    return conversation_view(rows)

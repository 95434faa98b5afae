"""Opening, listing and reading conversations."""

from __future__ import annotations

from collections.abc import Sequence

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
from handlers.chat.views import conversation_view, group_by_conversation, pushed_conversation_view
from handlers.context import Context, Outcome
from handlers.paging import cut_page, rows_wanted
from realtime.contract.emissions import Emission, JoinRoom, ToRoom, emission
from realtime.contract.errors import NOT_FOUND, CommandError
from realtime.contract.wire import Page
from realtime.pubsub.room_names import person_room
from sql.chat import ConversationMemberRow, OpenedRow
from sql.ids import MAX_ID, ActivityId, ConversationId, UserId


async def open_conversation(ctx: Context, cmd: OpenConversation) -> Outcome[ConversationAck]:
    """The other user is told nothing: their sessions enter the room, and nothing is said in it yet."""
    opened = await open_direct(ctx, UserId(cmd.user_id))
    rows = await read_conversation(ctx, opened.id)
    ack = ConversationAck(conversation=conversation_view(rows))
    if not opened.joined:
        return Outcome(ack)
    both = (ctx.user_id, UserId(cmd.user_id))
    return Outcome(
        ack,
        pushes=opening_pushes(rows, [ctx.user_id]),
        signals=(JoinRoom(NAMESPACE, conversation_room(opened.id), both, is_new=True),),
    )


async def open_direct(ctx: Context, other_id: UserId) -> OpenedRow:
    """Finds or creates the conversation with a user. With a block between them it is found, but not created."""
    found = await ctx.db.chat.find_direct(viewer_id=ctx.user_id, other_id=other_id)
    if found is not None:
        return OpenedRow(found, joined=False)
    other = await ctx.db.people.read_person(viewer_id=ctx.user_id, user_id=other_id)
    if other is None:
        raise CommandError(NOT_FOUND)
    require_visible(may_see_person(other.viewer))
    require_allowed(may_message(other.viewer))
    return await ctx.db.chat.open_direct(viewer_id=ctx.user_id, other_id=other_id)


def opening_pushes(rows: Sequence[ConversationMemberRow], user_ids: Sequence[UserId]) -> tuple[Emission, ...]:
    """`conversation:updated` to all devices of these members, who did not have the conversation before."""
    data = ConversationAck(conversation=pushed_conversation_view(rows))
    return tuple(emission(CONVERSATION_UPDATED, data, ToRoom(person_room(user_id))) for user_id in user_ids)


async def list_conversations(ctx: Context, cmd: ListConversations) -> Outcome[Page[Conversation]]:
    rows = await ctx.db.chat.list_conversations(
        viewer_id=ctx.user_id,
        before=ActivityId(MAX_ID if cmd.before is None else cmd.before),
        page_size=rows_wanted(cmd.limit),
    )
    page, next_cursor = cut_page(
        list(group_by_conversation(rows)), cmd.limit, lambda members: members[0].last_activity_id
    )
    return Outcome(Page(items=[conversation_view(members) for members in page], next_cursor=next_cursor))


async def show_conversation(ctx: Context, cmd: GetConversation) -> Outcome[ConversationAck]:
    rows = await read_conversation(ctx, ConversationId(cmd.conversation_id))
    return Outcome(ConversationAck(conversation=conversation_view(rows)))


async def read_conversation(ctx: Context, conversation_id: ConversationId) -> list[ConversationMemberRow]:
    """A conversation of the caller, a row for each member. Raises `not_found` for a conversation of other people."""
    rows = await ctx.db.chat.read_conversation(viewer_id=ctx.user_id, conversation_id=conversation_id)
    if not rows:
        raise CommandError(NOT_FOUND)
    return rows

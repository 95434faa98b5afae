"""Messages by user instead of by conversation, for clients without conversations; the rows are the same."""

from __future__ import annotations

from handlers.chat.conversations import open_direct, read_conversation
from handlers.chat.direct_contract import ListDirectMessages, WriteMessage
from handlers.chat.messages import Draft, send
from handlers.chat.models import DirectMessage
from handlers.chat.views import direct_message_view, message_status
from handlers.context import Context, Outcome
from handlers.paging import cut_page, rows_wanted
from realtime.contract.wire import Page
from sql.ids import MAX_ID, MessageId, UserId


async def write_message(ctx: Context, cmd: WriteMessage) -> Outcome[DirectMessage]:
    """Opens the conversation if there is none yet and sends into it, in one transaction."""
    opened = await open_direct(ctx, UserId(cmd.user_id))
    draft = Draft(opened.id, cmd.text, None, cmd.client_id)
    sent = await send(ctx, draft, has_joined_now=opened.joined)
    rows = await read_conversation(ctx, opened.id)
    message = sent.data.message
    receiver = next(row.member for row in rows if row.member.user.id == cmd.user_id)
    written = DirectMessage(
        message=message,
        receiver_id=cmd.user_id,
        status=message_status(message.seq, receiver),
    )
    return Outcome(written, pushes=sent.pushes, signals=sent.signals)


async def list_direct_messages(ctx: Context, cmd: ListDirectMessages) -> Outcome[Page[DirectMessage]]:
    rows = await ctx.db.chat.list_direct_messages(
        viewer_id=ctx.user_id,
        before=MessageId(MAX_ID if cmd.before is None else cmd.before),
        skip=cmd.offset or 0,
        page_size=rows_wanted(cmd.limit),
    )
    page, next_cursor = cut_page(rows, cmd.limit, lambda row: row.message.id)
    return Outcome(Page(items=[direct_message_view(row) for row in page], next_cursor=next_cursor))

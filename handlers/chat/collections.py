"""Reads what `sync:pull` tells of conversations and messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Final

from pydantic import JsonValue

from handlers.chat.sync_contract import SYNC_BYTES_MAX
from handlers.chat.views import conversation_view, group_by_conversation, message_view
from handlers.collections import RESET, ChangedItems, ReadFrom
from handlers.context import Context
from sql.chat import ChangedMessageRow, MessageChangesRow, MessageRow
from sql.ids import MAX_ID, ActivityId, ConversationId

CHANGED_CONVERSATIONS_MAX: Final = 200
"""Where more have changed, a client that reads the last active ones anew reads less."""
CHANGED_MESSAGES_MAX: Final = 200
"""The same of messages, for each conversation."""
PAGE_CONVERSATIONS: Final = 20
"""A page shows so many at most, each with its last message, and looks for messages in so many."""
SCREEN_MESSAGES: Final = 20
"""The newest ones of each conversation of the first screen."""


async def read_conversations(ctx: Context, start: ReadFrom) -> ChangedItems:
    page_size = min(PAGE_CONVERSATIONS, start.limit)
    if start.since is None:
        newest = await ctx.db.chat.list_conversations(
            viewer_id=ctx.user_id, before=ActivityId(MAX_ID), page_size=page_size
        )
        return ChangedItems([conversation_view(members) for members in group_by_conversation(newest)])
    from_id, _ = _place(start.resume)
    rows = await ctx.db.chat.list_changed_conversations(
        viewer_id=ctx.user_id,
        since=start.since,
        from_id=from_id,
        page_size=page_size,
        count_limit=_count_limit(start, page_size),
    )
    if not rows:
        return ChangedItems()
    if start.resume is None and rows[0].changed_count > CHANGED_CONVERSATIONS_MAX:
        return RESET
    page = list(group_by_conversation(row.conversation for row in rows))
    is_last = rows[0].changed_count <= len(page)
    return ChangedItems(
        [conversation_view(members) for members in page],
        resume=None if is_last else _resume(ConversationId(page[-1][0].id + 1)),
    )


async def read_messages(ctx: Context, start: ReadFrom) -> ChangedItems:
    """Of each conversation its changes come in their order, so that a page may end among them."""
    if start.since is None:
        newest = await ctx.db.chat.list_newest_messages(
            viewer_id=ctx.user_id,
            conversation_limit=min(PAGE_CONVERSATIONS, start.limit),
            page_size=min(SCREEN_MESSAGES, start.limit),
            byte_limit=SYNC_BYTES_MAX,
        )
        return ChangedItems([message_view(row) for row in newest if not row.is_deleted])
    from_id, reached_rev = _place(start.resume)
    changed = await ctx.db.chat.list_message_changes(
        viewer_id=ctx.user_id,
        since=start.since,
        from_id=from_id,
        page_size=PAGE_CONVERSATIONS,
        change_limit=CHANGED_MESSAGES_MAX,
        count_limit=_count_limit(start, PAGE_CONVERSATIONS),
    )
    if not changed:
        return ChangedItems()
    if start.resume is None and changed[0].changed_count > CHANGED_CONVERSATIONS_MAX:
        return RESET
    after_revs = {row.conversation_id: row.after_rev for row in changed if row.after_rev is not None}
    if from_id in after_revs:
        after_revs[from_id] = max(after_revs[from_id], reached_rev)
    rows = await ctx.db.chat.read_changes(
        viewer_id=ctx.user_id,
        conversation_ids=list(after_revs),
        after_revs=list(after_revs.values()),
        page_size=start.limit,
        byte_limit=SYNC_BYTES_MAX,
        beside_limit=0,
    )
    return _page_of_messages(changed, rows, after_revs, start.limit)


def _page_of_messages(
    changed: Sequence[MessageChangesRow],
    rows: Sequence[ChangedMessageRow],
    after_revs: Mapping[ConversationId, int],
    limit: int,
) -> ChangedItems:
    """The page ends with the last of these conversations, or within one that has more changes than fit."""
    found = {name: list(of_one) for name, of_one in groupby(rows, key=lambda row: row.conversation_id)}
    messages: list[MessageRow] = []
    reset_ids: list[str] = []
    for conversation_id, _, after_rev in changed:
        if after_rev is None:
            reset_ids.append(str(conversation_id))
            continue
        of_one = found.get(conversation_id, [])
        fitting = [row.message for row in of_one if row.message is not None][: limit - len(messages)]
        messages += fitting
        if of_one and of_one[0].change_count > len(fitting):
            reached_rev = fitting[-1].rev if fitting else after_revs[conversation_id]
            return _changed_messages(messages, reset_ids, _resume(conversation_id, reached_rev))
    is_last = changed[0].changed_count <= len(changed)
    following = ConversationId(changed[-1].conversation_id + 1)
    return _changed_messages(messages, reset_ids, None if is_last else _resume(following))


def _changed_messages(messages: Sequence[MessageRow], reset_ids: Sequence[str], resume: JsonValue) -> ChangedItems:
    return ChangedItems(
        [message_view(message) for message in messages if not message.is_deleted],
        [f"{message.conversation_id}:{message.seq}" for message in messages if message.is_deleted],
        reset_ids=reset_ids,
        resume=resume,
    )


def _count_limit(start: ReadFrom, page_size: int) -> int:
    """How many changed conversations have to be counted: on the first page so many that it can be a reset."""
    return CHANGED_CONVERSATIONS_MAX + 1 if start.resume is None else page_size + 1


def _resume(conversation_id: ConversationId, rev: int = 0) -> JsonValue:
    return [conversation_id, rev]


def _place(resume: JsonValue) -> tuple[ConversationId, int]:
    """The conversation that a page begins with, and the rev above which it begins there."""
    match resume:
        case [int(conversation_id), int(rev)]:
            return ConversationId(conversation_id), rev
    return ConversationId(0), 0

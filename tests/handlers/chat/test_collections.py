"""What `sync:pull` tells of conversations and messages, through sockets and REST."""

from __future__ import annotations

from typing import Any

from handlers.chat import collections
from handlers.chat.contract import RECEIPT_UPDATED
from handlers.chat.feature import FEATURE
from tests.handlers.chat.talk import (
    CHAT,
    delete_untold,
    edit_untold,
    join_again,
    open_conversation,
    send,
    value,
)
from tests.kit.positions import settled_cursor, until_nothing_is_new
from tests.kit.server import Person, RunningServer

BOTH = ["conversations", "messages"]


async def pull(person: Person, cursor: str | None = None, **more: object) -> dict[str, Any]:
    payload = {**({} if cursor is None else {"cursor": cursor}), "collections": BOTH, **more}
    answer: dict[str, Any] = await person.do(CHAT, "sync:pull", payload)
    return answer


async def cursor_of(person: Person) -> str:
    """Of one who has pulled everything."""
    return await settled_cursor(person, *BOTH)


def told(answer: dict[str, Any], name: str) -> dict[str, Any]:
    changes: dict[str, Any] = answer["changes"].get(name, {"upserts": [], "removed": []})
    return changes


def seqs(answer: dict[str, Any]) -> list[tuple[str, int]]:
    return [(message["conversation_id"], message["seq"]) for message in told(answer, "messages")["upserts"]]


def test_every_push_of_a_durable_change_carries_its_rev() -> None:
    """Receipts are no change of the conversation: of two the larger numbers are right."""
    for push in FEATURE.pushes:
        fields = push.model.model_fields
        of_one = {name for field in fields.values() for name in getattr(field.annotation, "model_fields", ())}
        assert push is RECEIPT_UPDATED or "rev" in fields.keys() | of_one, push.name


async def test_the_first_screen_is_the_last_active_conversations_with_their_newest_messages(
    server: RunningServer, database_url: str
) -> None:
    ada, bea, cid, dan = await server.people("screen_ada", "screen_bea", "screen_cid", "screen_dan")
    quiet, busy, short = [await open_conversation(ada, other) for other in (dan, bea, cid)]
    await send(dan, quiet, "Long ago")
    for number in range(4):
        await send(bea, busy, f"Number {number}")
    for number in range(2):
        await send(cid, short, f"Number {number}")
    await delete_untold(database_url, busy, 4)
    first = await pull(ada, limit=2)
    assert first["more"] is False
    listed = (await ada.do(CHAT, "conversation:list", {"limit": 2}))["items"]
    assert told(first, "conversations") == {"upserts": listed, "removed": []}
    assert [item["id"] for item in listed] == [short, busy]
    assert seqs(first) == [(short, 2), (short, 1), (busy, 3)]
    assert seqs(await pull(ada)) == [(short, 2), (quiet, 1), (short, 1), (busy, 3), (busy, 2), (busy, 1)]


async def test_what_was_said_edited_and_deleted_is_told_and_nothing_else(
    server: RunningServer, database_url: str
) -> None:
    ada, bea, cid = await server.people("said_ada", "said_bea", "said_cid")
    changed, quiet = await open_conversation(ada, bea), await open_conversation(ada, cid)
    for number in range(4):
        await send(bea, changed, f"Number {number}")
    await send(cid, quiet, "Nothing follows")
    await send(cid, await open_conversation(cid, bea), "Not for ada")
    cursor = await cursor_of(ada)
    assert (await pull(ada, cursor))["changes"] == {}
    await edit_untold(database_url, changed, 2, "Edited")
    await delete_untold(database_url, changed, 3)
    new = await send(bea, changed, "One more")
    answer = await pull(ada, cursor)
    listed = await ada.do(CHAT, "message:list", {"conversation_id": changed, "after_seq": 0})
    edited = listed["items"][1]
    assert (edited["text"], edited["rev"]) == ("Edited", 5)
    assert told(answer, "messages") == {"upserts": [edited, new], "removed": [f"{changed}:3"]}
    got = (await ada.do(CHAT, "conversation:get", {"conversation_id": changed}))["conversation"]
    assert (got["rev"], got["last_seq"]) == (7, 5)
    assert told(answer, "conversations") == {"upserts": [got], "removed": []}
    await until_nothing_is_new(ada, answer["cursor"])
    status, by_rest = await ada.rest("POST", "/sync", {"cursor": cursor, "collections": BOTH})
    assert (status, by_rest["data"]["changes"]) == (200, answer["changes"])


async def test_ones_own_read_position_is_told_and_that_of_others_is_not(server: RunningServer) -> None:
    ada, bea = await server.people("own_ada", "own_bea")
    conversation_id = await open_conversation(ada, bea)
    for number in range(3):
        await send(ada, conversation_id, f"Number {number}")
    cursors = [await cursor_of(person) for person in (ada, bea)]
    await bea.do(CHAT, "message:delivered", {"conversation_id": conversation_id, "seq": 3})
    for person, cursor in zip((ada, bea), cursors, strict=True):
        assert (await pull(person, cursor))["changes"] == {}
    await bea.do(CHAT, "message:read", {"conversation_id": conversation_id, "seq": 2})
    assert (await pull(ada, cursors[0]))["changes"] == {}
    answer = await pull(bea, cursors[1])
    (conversation,) = told(answer, "conversations")["upserts"]
    assert conversation["viewer"] == {"unread_count": 1, "read_seq": 2, "muted": False}
    assert seqs(answer) == []


async def test_a_conversation_of_others_is_there_with_its_first_message(server: RunningServer) -> None:
    ada, bea = await server.people("opened_ada", "opened_bea")
    cursor = await cursor_of(bea)
    conversation_id = await open_conversation(ada, bea)
    assert (await pull(bea, cursor))["changes"] == {}
    first = await send(ada, conversation_id, "Hello")
    answer = await pull(bea, cursor)
    assert [item["id"] for item in told(answer, "conversations")["upserts"]] == [conversation_id]
    assert told(answer, "messages") == {"upserts": [first], "removed": []}


async def test_changes_come_in_pages_while_there_are_more(server: RunningServer, database_url: str) -> None:
    ada, *others = await server.people("pages_ada", "pages_bea", "pages_cid", "pages_dan")
    talks = [await open_conversation(ada, other) for other in others]
    cursor = await cursor_of(ada)
    for number in range(5):
        for talk, other in zip(talks, others, strict=True):
            await send(other, talk, f"Number {number}")
    await delete_untold(database_url, talks[1], 2)
    held: dict[tuple[str, int], dict[str, Any]] = {}
    conversations: list[str] = []
    pages, more = 0, True
    while more:
        answer = await pull(ada, cursor, limit=2)
        cursor, more = answer["cursor"], answer["more"]
        messages = told(answer, "messages")
        assert len(messages["upserts"]) + len(messages["removed"]) <= 2
        conversations += [item["id"] for item in told(answer, "conversations")["upserts"]]
        held |= {(message["conversation_id"], message["seq"]): message for message in messages["upserts"]}
        pages += 1
        if pages == 2:  # changed while it is read, once before and once behind the place that is reached
            edited = [await edit_untold(database_url, talk, 1, "Edited meanwhile") for talk in (talks[0], talks[2])]
            assert edited == [6, 6]
    assert pages >= 7
    assert set(conversations) == set(talks)
    rest = await pull(ada, cursor)
    held |= {(message["conversation_id"], message["seq"]): message for message in told(rest, "messages")["upserts"]}
    assert len(held) == 14
    for talk in talks:
        listed = await ada.do(CHAT, "message:list", {"conversation_id": talk, "after_seq": 0})
        assert [held.get((talk, seq)) for seq in range(1, 6)] == [
            None if "deleted" in message else message for message in listed["items"]
        ]


async def test_more_changes_than_a_fresh_read_has_reset_the_conversation(
    server: RunningServer, database_url: str
) -> None:
    ada, bea, cid = await server.people("reset_ada", "reset_bea", "reset_cid")
    long, short = await open_conversation(ada, bea), await open_conversation(ada, cid)
    cursor = await cursor_of(ada)
    said = """
        SELECT count(*) FROM send_messages(
            array_fill($1::bigint, $3::integer[]), array_fill($2::bigint, $3), array_fill('Hello'::text, $3),
            array_fill(NULL::bigint, $3), array_fill(NULL::text, $3), true
        )
    """
    await value(database_url, said, int(long), int(bea.id), [collections.CHANGED_MESSAGES_MAX])
    await send(cid, short, "Hello")
    within = await pull(ada, cursor, limit=100)
    assert ("reset_ids" in told(within, "messages"), len(seqs(within)), within["more"]) == (False, 100, True)
    await send(bea, long, "One too many")
    beyond = await pull(ada, cursor)
    assert told(beyond, "messages")["reset_ids"] == [long]
    assert seqs(beyond) == [(short, 1)]
    assert sorted(item["id"] for item in told(beyond, "conversations")["upserts"]) == sorted([long, short])


async def test_a_conversation_that_is_joined_later_is_read_anew(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("late_ada", "late_bea")
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "Before")
    cursor = await cursor_of(bea)
    await join_again(database_url, conversation_id, bea)
    answer = await pull(bea, cursor)
    assert told(answer, "messages") == {"upserts": [], "removed": [], "reset_ids": [conversation_id]}
    assert [item["id"] for item in told(answer, "conversations")["upserts"]] == [conversation_id]


async def test_more_conversations_than_a_fresh_read_has_reset_both(server: RunningServer, database_url: str) -> None:
    ada = await server.person("crowd_ada")
    made = """
        WITH made AS (INSERT INTO conversations (kind) SELECT 'group' FROM generate_series(1, $2::integer) RETURNING id)
        INSERT INTO conversation_members (conversation_id, user_id) SELECT made.id, $1 FROM made
    """
    cursor = await cursor_of(ada)
    await value(database_url, made, int(ada.id), collections.CHANGED_CONVERSATIONS_MAX)
    within = await pull(ada, cursor, limit=100)
    shown = collections.PAGE_CONVERSATIONS
    assert (len(told(within, "conversations")["upserts"]), within["more"]) == (shown, True)
    await value(database_url, made, int(ada.id), 1)
    beyond = await pull(ada, cursor)
    assert beyond["changes"] == {name: {"upserts": [], "removed": [], "reset": True} for name in BOTH}
    await until_nothing_is_new(ada, beyond["cursor"])
    rest = await pull(ada, within["cursor"], limit=100)
    assert (len(told(rest, "conversations")["upserts"]), rest["more"]) == (shown, True), "what was begun goes on"

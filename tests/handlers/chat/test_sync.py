from typing import Any

from handlers.chat.sync_contract import SYNC_BYTES_MAX, SYNC_CONVERSATIONS_MAX, SYNC_MESSAGES_MAX
from handlers.limits import MESSAGE_CHARS
from tests.handlers.chat.talk import CHAT, delete_untold, edit_untold, open_conversation, refusal, send, value
from tests.kit.server import Person, RunningServer


async def sync(person: Person, positions: dict[str, int]) -> dict[str, dict[str, Any]]:
    """What the call tells, by conversation."""
    answer = await person.do(CHAT, "chat:sync", {"positions": positions})
    told = {item["conversation_id"]: item for item in answer["conversations"]}
    assert len(told) == len(answer["conversations"])
    return told


def seqs(told: dict[str, Any]) -> list[int]:
    return [message["seq"] for message in told["messages"]]


def shown(conversation_id: str, messages: list[dict[str, Any]], rev: int, **more: Any) -> dict[str, Any]:
    """What is told of a conversation with four messages."""
    told = {"messages": messages, "removed_seqs": [], "rev": rev, "last_seq": 4, "truncated": False}
    return {"conversation_id": conversation_id, **told, **more}


async def test_a_client_gets_what_came_after_its_position(server: RunningServer) -> None:
    ada, bea = await server.people("after_ada", "after_bea")
    conversation_id = await open_conversation(ada, bea)
    sent = [await send(ada, conversation_id, f"Number {number}") for number in range(4)]
    assert [message["rev"] for message in sent] == [1, 2, 3, 4]
    for position in range(6):
        told = await sync(bea, {conversation_id: position})
        assert told == {conversation_id: shown(conversation_id, sent[position:], 4)}


async def test_a_client_gets_what_was_edited_and_deleted_in_the_order_of_the_changes(
    server: RunningServer, database_url: str
) -> None:
    ada, bea = await server.people("edited_ada", "edited_bea")
    conversation_id = await open_conversation(ada, bea)
    sent = [await send(ada, conversation_id, f"Number {number}") for number in range(4)]
    assert await edit_untold(database_url, conversation_id, 1, "Not number 0") == 5
    assert await delete_untold(database_url, conversation_id, 3) == 6
    assert await edit_untold(database_url, conversation_id, 2, "Not number 1") == 7
    listed = (await bea.do(CHAT, "message:list", {"conversation_id": conversation_id, "after_seq": 0}))["items"]
    edited = [listed[0], listed[1]]
    assert [(message["rev"], message["text"]) for message in edited] == [(5, "Not number 0"), (7, "Not number 1")]
    assert all(message["edited_at_ms"] >= message["created_at_ms"] for message in edited)
    assert (listed[2]["rev"], listed[2]["text"], listed[2]["deleted"]) == (6, "", True)
    for position, messages, removed_seqs in (
        (0, [sent[3], *edited], [3]),
        (4, edited, [3]),
        (5, edited[1:], [3]),
        (6, edited[1:], []),
        (7, [], []),
    ):
        told = await sync(bea, {conversation_id: position})
        assert told == {conversation_id: shown(conversation_id, messages, 7, removed_seqs=removed_seqs)}
    got = await bea.do(CHAT, "conversation:get", {"conversation_id": conversation_id})
    assert (got["conversation"]["rev"], got["conversation"]["last_seq"]) == (7, 4)


async def test_a_change_that_is_no_message_moves_the_position_too(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("title_ada", "title_bea")
    conversation_id = await open_conversation(ada, bea)
    sent = [await send(ada, conversation_id, f"Number {number}") for number in range(4)]
    retitled = "UPDATE conversations SET title = 'T', rev = rev + 1, changed = change_stamp() WHERE id = $1 RETURNING 1"
    await value(database_url, retitled, int(conversation_id))
    for position in (3, 4):
        told = await sync(bea, {conversation_id: position})
        assert told == {conversation_id: shown(conversation_id, sent[position:], 5)}


async def test_several_conversations_are_answered_each_from_its_own_position(server: RunningServer) -> None:
    ada, *others = await server.people("each_ada", "each_bea", "each_cid", "each_dan")
    conversations = [await open_conversation(ada, other) for other in others]
    for conversation_id, other in zip(conversations, others, strict=True):
        for number in range(3):
            await send(other, conversation_id, f"Number {number}")
    told = await sync(ada, {conversation_id: position for position, conversation_id in enumerate(conversations)})
    assert [seqs(told[conversation_id]) for conversation_id in conversations] == [[1, 2, 3], [2, 3], [3]]


async def test_a_client_finds_what_was_opened_and_said_while_it_was_away(server: RunningServer) -> None:
    ada, bea, cid, dan = await server.people("away_ada", "away_bea", "away_cid", "away_dan")
    known, written, empty = [await open_conversation(ada, other) for other in (bea, cid, dan)]
    await send(cid, written, "Hello")
    told = await sync(ada, {known: 0})
    keys = ("last_seq", "rev", "truncated", "messages")
    assert {name: [item[key] for key in keys] for name, item in told.items()} == {
        known: [0, 0, False, []],
        written: [1, 0, True, []],
        empty: [0, 0, False, []],
    }
    assert seqs((await sync(ada, {written: 0}))[written]) == [1]
    assert set(await sync(ada, {})) == {known, written, empty}


async def test_conversations_of_others_are_left_out(server: RunningServer) -> None:
    ada, bea, eve = await server.people("left_ada", "left_bea", "left_eve")
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "Between us")
    assert await sync(eve, {conversation_id: 0, "1": 0}) == {}


async def test_a_long_absence_is_caught_up_in_several_calls(server: RunningServer) -> None:
    ada, bea = await server.people("long_ada", "long_bea")
    conversation_id = await open_conversation(ada, bea)
    total = SYNC_MESSAGES_MAX + 3
    for number in range(total):
        await send(ada, conversation_id, f"Number {number}")
    first = (await sync(bea, {conversation_id: 0}))[conversation_id]
    assert (seqs(first), first["truncated"]) == (list(range(1, SYNC_MESSAGES_MAX + 1)), True)
    assert first["rev"] == SYNC_MESSAGES_MAX
    rest = (await sync(bea, {conversation_id: first["rev"]}))[conversation_id]
    assert (seqs(rest), rest["rev"], rest["truncated"]) == ([total - 2, total - 1, total], total, False)
    exactly = (await sync(bea, {conversation_id: 3}))[conversation_id]
    assert (len(exactly["messages"]), exactly["truncated"]) == (SYNC_MESSAGES_MAX, False)


async def test_an_answer_stays_small_and_a_client_still_gets_everything(server: RunningServer) -> None:
    ada, bea, cid = await server.people("big_ada", "big_bea", "big_cid")
    conversations = [await open_conversation(ada, other) for other in (bea, cid)]
    text = "\U0001f426" * MESSAGE_CHARS
    each = SYNC_BYTES_MAX // len(text.encode()) // 2 + 5
    for conversation_id in conversations:
        for _ in range(each):
            await send(ada, conversation_id, text)
    positions: dict[str, int] = dict.fromkeys(conversations, 0)
    calls = 0
    while True:
        told = await sync(ada, positions)
        calls += 1
        assert sum(len(message["text"].encode()) for item in told.values() for message in item["messages"]) <= (
            SYNC_BYTES_MAX
        )
        for conversation_id, item in told.items():
            start = positions[conversation_id] + 1
            assert seqs(item) == list(range(start, start + len(item["messages"])))
            positions[conversation_id] = item["rev"]
        if not any(item["truncated"] for item in told.values()):
            break
    assert positions == dict.fromkeys(conversations, each)
    assert calls == 2


async def test_what_is_no_position_is_refused(server: RunningServer) -> None:
    ada = await server.person("wrong_ada")
    many = {str(number): 0 for number in range(1, SYNC_CONVERSATIONS_MAX + 1)}
    assert await sync(ada, many) == {}
    wrong: list[object] = [{**many, "999": 0}, {"1": -1}, {"1": 2**63}, {"1": "0"}, {"01": 0}, {"x": 0}, []]
    for positions in wrong:
        assert await refusal(ada, "chat:sync", {"positions": positions}) == "invalid_payload"


async def test_rest_catches_up_too(server: RunningServer) -> None:
    ada, bea = await server.people("rest_ada", "rest_bea")
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "Hello")
    payload = {"positions": {conversation_id: 0}}
    assert await bea.rest("POST", "/chat/sync", payload) == (200, await bea.call(CHAT, "chat:sync", payload))

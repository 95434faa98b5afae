import asyncio
from typing import Any

from tests.handlers.chat.talk import CHAT, hear, hear_everywhere, open_conversation, refusal, send, value
from tests.kit.server import Person, RunningServer
from tests.server.transports.events.test_long_polling import poller

UNKNOWN_ID = "1"


def keys_at_any_depth(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | set().union(*(keys_at_any_depth(part) for part in value.values()))
    if isinstance(value, list):
        return set().union(*(keys_at_any_depth(part) for part in value))
    return set()


async def test_two_people_have_one_conversation_whoever_opens_it(server: RunningServer) -> None:
    ada, bea = await server.people("one_ada", "one_bea")
    first = (await ada.do(CHAT, "conversation:open", {"user_id": bea.id}))["conversation"]
    again = (await bea.do(CHAT, "conversation:open", {"user_id": ada.id}))["conversation"]
    assert first["kind"] == "direct"
    assert first["last_seq"] == 0
    assert "last_message" not in first
    assert (first["rev"], first["viewer"]) == (0, {"unread_count": 0, "read_seq": 0, "muted": False})
    assert {member["user"]["id"] for member in first["members"]} == {ada.id, bea.id}
    assert again == first


async def test_the_other_one_learns_of_a_conversation_with_its_first_message(server: RunningServer) -> None:
    ada, bea = await server.people("told_ada", "told_bea")
    polled = await poller(server, bea)
    before = await bea.device()
    hers = [await ada.device(), await ada.device()]
    conversation_id = await open_conversation(ada, bea)
    await open_conversation(ada, bea)
    for (told,) in await hear_everywhere(hers, "conversation:updated", 1):
        assert told["conversation"]["id"] == conversation_id
        assert "viewer" not in keys_at_any_depth(told)
        assert "last_message" not in told["conversation"]
    after = await bea.device()
    assert (await bea.do(CHAT, "conversation:list")) == {"items": []}
    assert (await bea.do(CHAT, "chat:sync", {"positions": {conversation_id: 0}})) == {"conversations": []}
    assert (await bea.do(CHAT, "message:direct")) == {"items": []}
    for device in (before, after):
        assert device.heard == []
    assert (await polled.poll(timeout_s=0))["events"] == []

    sent = [await send(ada, conversation_id, text) for text in ("Are you there?", "Hello?")]
    for device in (*hers, before, after):
        assert [push["message"] for push in await hear(device, "message:created", 2)] == sent
        names = [push.name for push in device.heard if push.name != "conversation:position"]
        assert names == ["conversation:updated", "message:created", "message:created"]
    for device in (before, after):
        opened = (await device.expect_push("conversation:updated"))["conversation"]
        assert (opened["id"], opened["last_message"]) == (conversation_id, sent[0])
    events = await polled.hear(3)
    assert [event["name"] for event in events] == ["conversation:updated", "message:created", "message:created"]
    for person in (ada, bea):
        assert [item["id"] for item in (await person.do(CHAT, "conversation:list"))["items"]] == [conversation_id]


async def test_who_opens_what_the_other_has_opened_has_it_then(server: RunningServer) -> None:
    ada, bea = await server.people("second_ada", "second_bea")
    device = await bea.device()
    conversation_id = await open_conversation(ada, bea)
    assert await open_conversation(bea, ada) == conversation_id
    assert (await device.expect_push("conversation:updated"))["conversation"]["id"] == conversation_id
    assert [item["id"] for item in (await bea.do(CHAT, "conversation:list"))["items"]] == [conversation_id]
    await open_conversation(bea, ada)
    await device.expect_silence("conversation:updated", within_s=0.1)


async def test_a_block_keeps_the_other_from_opening_what_holds_no_message(server: RunningServer) -> None:
    ada, bea = await server.people("empty_ada", "empty_bea")
    conversation_id = await open_conversation(ada, bea)
    await ada.do("/users", "user:block", {"user_id": bea.id})
    assert await refusal(bea, "conversation:open", {"user_id": ada.id}) == "not_found"
    assert await open_conversation(ada, bea) == conversation_id
    assert (await bea.do(CHAT, "conversation:list")) == {"items": []}


async def test_a_conversation_opened_by_many_at_once_is_made_once(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("race_ada", "race_bea")
    devices = [await person.device() for person in (ada, ada, bea, bea)]
    opened = await asyncio.gather(
        *(
            device.do(CHAT, "conversation:open", {"user_id": other.id})
            for device, other in zip(devices, (bea, bea, ada, ada), strict=True)
            for _ in range(5)
        )
    )
    assert len({answer["conversation"]["id"] for answer in opened}) == 1
    assert await value(database_url, "SELECT count(*) FROM conversation_members WHERE user_id = $1", int(ada.id)) == 1
    await hear_everywhere(devices, "conversation:updated", 1)
    for device in devices:
        await device.expect_silence("conversation:updated", within_s=0.1)


async def test_a_conversation_with_oneself_or_an_unknown_user_is_refused(server: RunningServer) -> None:
    ada = await server.person("alone_ada")
    assert await refusal(ada, "conversation:open", {"user_id": ada.id}) == "forbidden"
    assert await refusal(ada, "conversation:open", {"user_id": UNKNOWN_ID}) == "not_found"


async def test_a_block_keeps_a_conversation_from_being_begun(server: RunningServer) -> None:
    ada, bea = await server.people("begin_ada", "begin_bea")
    await ada.do("/users", "user:block", {"user_id": bea.id})
    assert await refusal(bea, "conversation:open", {"user_id": ada.id}) == "not_found"
    assert await refusal(ada, "conversation:open", {"user_id": bea.id}) == "forbidden"
    await ada.do("/users", "user:unblock", {"user_id": bea.id})
    await open_conversation(bea, ada)


async def test_a_block_leaves_both_the_conversation_that_they_have(server: RunningServer) -> None:
    ada, bea = await server.people("keep_ada", "keep_bea")
    conversation_id = await open_conversation(ada, bea)
    message = await send(ada, conversation_id, "Goodbye")
    await ada.do("/users", "user:block", {"user_id": bea.id})
    for person, other in ((ada, bea), (bea, ada)):
        assert await open_conversation(person, other) == conversation_id
        listed = await person.do(CHAT, "message:list", {"conversation_id": conversation_id})
        assert [item["text"] for item in listed["items"]] == ["Goodbye"]
    assert listed["items"][0] == {**message, "sender": {"id": ada.id, "username": "keep_ada"}}


async def test_a_blocked_user_reads_only_id_and_username_of_the_blocker(server: RunningServer) -> None:
    """In every read that still shows the two to each other: members and messages of their conversation."""
    ada, bea = await server.people("card_ada", "card_bea")
    conversation_id = await open_conversation(ada, bea)
    for sender in (bea, ada):
        await send(sender, conversation_id, "Hello")
    before = {person.id: await cards_seen_by(person, conversation_id) for person in (ada, bea)}
    await ada.do("/users", "user:block", {"user_id": bea.id})
    cut = {"id": ada.id, "username": "card_ada"}
    whole = {"id": bea.id, "username": "card_bea", "display_name": "card_bea", "version": 1}
    assert await cards_seen_by(bea, conversation_id) == {ada.id: [cut] * 8, bea.id: [whole] * 6}
    assert await cards_seen_by(ada, conversation_id) == before[ada.id]
    await ada.do("/users", "user:unblock", {"user_id": bea.id})
    assert await cards_seen_by(bea, conversation_id) == before[bea.id]


async def test_a_conversation_is_hidden_from_others(server: RunningServer) -> None:
    ada, bea, eve = await server.people("hidden_ada", "hidden_bea", "hidden_eve")
    conversation_id = await open_conversation(ada, bea)
    for payload in ({"conversation_id": conversation_id}, {"conversation_id": UNKNOWN_ID}):
        assert await refusal(eve, "conversation:get", payload) == "not_found"
    assert await eve.do(CHAT, "conversation:list") == {"items": []}


async def test_the_last_active_conversation_is_listed_first_with_its_last_message(server: RunningServer) -> None:
    ada, bea, cid = await server.people("list_ada", "list_bea", "list_cid")
    with_bea = await open_conversation(ada, bea)
    with_cid = await open_conversation(ada, cid)
    assert [item["id"] for item in (await ada.do(CHAT, "conversation:list"))["items"]] == [with_cid, with_bea]
    await send(bea, with_bea, "One")
    last = await send(bea, with_bea, "Two")
    first, second = (await ada.do(CHAT, "conversation:list"))["items"]
    assert (first["id"], second["id"]) == (with_bea, with_cid)
    assert first["last_message"] == last
    assert first["viewer"]["unread_count"] == 2
    assert first == (await ada.do(CHAT, "conversation:get", {"conversation_id": with_bea}))["conversation"]


async def test_pages_of_conversations_show_each_once_while_others_are_opened(server: RunningServer) -> None:
    ada = await server.person("pages_ada")
    others = await server.people(*(f"pages_{number}" for number in range(7)))
    opened = [await open_conversation(ada, other) for other in others[:5]]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for newcomer in [*others[5:], None]:
        page = await ada.do(CHAT, "conversation:list", {"limit": 2, **cursor})
        seen += [item["id"] for item in page["items"]]
        if newcomer is None:
            assert "next_cursor" not in page
        else:
            cursor = {"before": page["next_cursor"]}
            await open_conversation(ada, newcomer)
    assert seen == opened[::-1]


async def test_rest_answers_what_the_socket_answers(server: RunningServer) -> None:
    ada, bea = await server.people("rest_ada", "rest_bea")
    status, opened = await ada.rest("POST", "/conversations", {"user_id": bea.id})
    conversation_id = opened["data"]["conversation"]["id"]
    assert status == 200
    for path, name, payload in (
        ("/conversations", "conversation:list", {}),
        (f"/conversations/{conversation_id}", "conversation:get", {"conversation_id": conversation_id}),
    ):
        assert await ada.rest("GET", path) == (200, await ada.call(CHAT, name, payload))


async def cards_seen_by(person: Person, conversation_id: str) -> dict[str, list[dict[str, Any]]]:
    """The cards of two users in every read that shows them to one of them, by user."""
    named = {"conversation_id": conversation_id}
    one = (await person.do(CHAT, "conversation:get", named))["conversation"]
    (listed,) = (await person.do(CHAT, "conversation:list"))["items"]
    (synced,) = (await person.do(CHAT, "chat:sync", {"positions": {conversation_id: 0}}))["conversations"]
    messages = [
        one["last_message"],
        listed["last_message"],
        *(await person.do(CHAT, "message:list", named))["items"],
        *(await person.do(CHAT, "message:list", {**named, "after_seq": 0}))["items"],
        *synced["messages"],
        *(item["message"] for item in (await person.do(CHAT, "message:direct"))["items"]),
    ]
    cards = [message["sender"] for message in messages]
    cards += [member["user"] for conversation in (one, listed) for member in conversation["members"]]
    found: dict[str, list[dict[str, Any]]] = {}
    for card in cards:
        found.setdefault(card["id"], []).append(card)
    return found

import asyncio

from handlers.limits import MESSAGE_CHARS
from tests.handlers.chat.talk import CHAT, hear, hear_everywhere, open_conversation, refusal, send, value
from tests.kit.server import RunningServer
from tests.kit.services import Valkey

UNKNOWN_ID = "1"


async def test_messages_of_both_have_the_same_numbers_on_every_device(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("order_ada", "order_bea")
    conversation_id = await open_conversation(ada, bea)
    devices = [
        await person.device(transports=transports)
        for person in (ada, bea)
        for transports in (["websocket"], ["websocket"], ["polling"])
    ]
    each = 15
    sent = await asyncio.gather(
        *(
            send(device, conversation_id, f"{number} of device {index}", client_id=f"{index}.{number}")
            for number in range(each)
            for index, device in enumerate(devices)
        )
    )
    total = each * len(devices)
    assert sorted(message["seq"] for message in sent) == list(range(1, total + 1))

    heard = await hear_everywhere(devices, "message:created", total)
    assert all(pushes == heard[0] for pushes in heard)
    in_order = sorted(sent, key=lambda message: int(message["seq"]))
    assert sorted((push["message"] for push in heard[0]), key=lambda message: int(message["seq"])) == in_order

    for person in (ada, bea):
        page = await person.do(
            CHAT, "message:list", {"conversation_id": conversation_id, "after_seq": 0, "limit": total}
        )
        assert page == {"items": in_order}
    last_seq = await value(database_url, "SELECT last_seq FROM conversations WHERE id = $1", int(conversation_id))
    assert last_seq == total


async def test_a_retry_is_answered_from_the_row_and_is_no_second_message(server: RunningServer) -> None:
    ada, bea = await server.people("retry_ada", "retry_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await bea.device()
    first = await send(ada, conversation_id, "Once", client_id="m1")
    assert await device.expect_push("message:created") == {"message": first}
    assert await send(ada, conversation_id, "Once", client_id="m1") == first
    await device.expect_silence("message:created")
    assert (await send(ada, conversation_id, "Next"))["seq"] == 2


async def test_the_same_client_id_of_another_person_is_another_message(server: RunningServer) -> None:
    ada, bea = await server.people("ours_ada", "ours_bea")
    conversation_id = await open_conversation(ada, bea)
    assert (await send(ada, conversation_id, "Mine", client_id="m1"))["seq"] == 1
    assert (await send(bea, conversation_id, "Mine too", client_id="m1"))["seq"] == 2


async def test_the_same_client_id_with_other_content_is_a_conflict(server: RunningServer) -> None:
    ada, bea = await server.people("clash_ada", "clash_bea")
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "Zero")
    await send(ada, conversation_id, "One", client_id="m1")
    first = {"conversation_id": conversation_id, "text": "One", "client_id": "m1"}
    for change in ({"text": "Two"}, {"reply_to_seq": 1}):
        assert await refusal(ada, "message:send", {**first, **change}) == "conflict"


async def test_a_message_sent_many_times_at_once_is_written_once(server: RunningServer) -> None:
    ada, bea = await server.people("many_ada", "many_bea")
    conversation_id = await open_conversation(ada, bea)
    listening = await bea.device()
    devices = [await ada.device() for _ in range(4)]
    sent = await asyncio.gather(
        *(send(device, conversation_id, "Once", client_id="m1") for device in devices for _ in range(5))
    )
    assert all(message == sent[0] for message in sent)
    assert sent[0]["seq"] == 1
    await hear(listening, "message:created", 1)
    await listening.expect_silence("message:created")


async def test_the_same_client_id_in_another_conversation_is_another_message(server: RunningServer) -> None:
    ada, bea, cid = await server.people("split_ada", "split_bea", "split_cid")
    conversations = [await open_conversation(ada, other) for other in (bea, cid)]
    sent = await asyncio.gather(*(send(ada, to, f"To {to}", client_id="m1") for to in conversations * 2))
    assert [(message["conversation_id"], message["seq"], message["text"]) for message in sent] == [
        (to, 1, f"To {to}") for to in conversations * 2
    ]
    for to in conversations:
        assert [
            message["text"] for message in (await ada.do(CHAT, "message:list", {"conversation_id": to}))["items"]
        ] == [f"To {to}"]


async def test_a_block_keeps_both_from_sending(server: RunningServer) -> None:
    ada, bea = await server.people("block_ada", "block_bea")
    conversation_id = await open_conversation(ada, bea)
    done = await send(bea, conversation_id, "Before", client_id="before")
    await ada.do("/users", "user:block", {"user_id": bea.id})
    device = await ada.device()
    for person in (ada, bea):
        payload = {"conversation_id": conversation_id, "text": "After", "client_id": "after"}
        assert await refusal(person, "message:send", payload) == "forbidden"
    await device.expect_silence("message:created")
    assert await send(bea, conversation_id, "Before", client_id="before") == done
    await ada.do("/users", "user:unblock", {"user_id": bea.id})
    assert (await send(bea, conversation_id, "After", client_id="after"))["seq"] == 2


async def test_others_can_neither_write_nor_read_nor_hear(server: RunningServer) -> None:
    ada, bea, eve = await server.people("private_ada", "private_bea", "private_eve")
    conversation_id = await open_conversation(ada, bea)
    device = await eve.device()
    await send(ada, conversation_id, "Between us")
    for unseen in (conversation_id, UNKNOWN_ID):
        named = {"conversation_id": unseen}
        assert await refusal(eve, "message:send", {**named, "text": "Hello"}) == "not_found"
        assert await refusal(eve, "message:list", named) == "not_found"
        assert await refusal(eve, "message:list", {**named, "after_seq": 0}) == "not_found"
    await device.expect_silence("message:created")


async def test_text_is_measured_after_normalisation(server: RunningServer) -> None:
    ada, bea = await server.people("text_ada", "text_bea")
    conversation_id = await open_conversation(ada, bea)
    longest = await send(ada, conversation_id, "e\u0301" * MESSAGE_CHARS)
    assert longest["text"] == "\u00e9" * MESSAGE_CHARS
    assert (await send(ada, conversation_id, "Two\nlines \U0001f426"))["text"] == "Two\nlines \U0001f426"


NO_MESSAGES: list[dict[str, object]] = [
    {"text": "x" * (MESSAGE_CHARS + 1)},
    {"text": ""},
    {"text": " \n "},
    {"text": "a\u0000b"},
    {"media_ids": ["1"]},
    {"reply_to_seq": 2},
    {"reply_to_seq": 0},
]


async def test_what_is_no_message_is_refused_and_takes_no_number(server: RunningServer) -> None:
    ada, bea = await server.people("wrong_ada", "wrong_bea")
    conversation_id = await open_conversation(ada, bea)
    await send(bea, conversation_id, "One")
    for wrong in NO_MESSAGES:
        payload = {"conversation_id": conversation_id, "text": "Hello", **wrong}
        answer = await ada.call(CHAT, "message:send", payload)
        assert answer["error"]["code"] == "invalid_payload", wrong
        assert list(answer["error"]["fields"]) == list(wrong)
    assert (await send(ada, conversation_id, "Two"))["seq"] == 2


async def test_a_reply_names_the_message_that_it_answers(server: RunningServer) -> None:
    ada, bea = await server.people("reply_ada", "reply_bea")
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "Question")
    reply = await send(bea, conversation_id, "Answer", reply_to_seq=1)
    assert (reply["seq"], reply["reply_to_seq"]) == (2, 1)


async def test_messages_are_paged_in_both_directions_while_more_arrive(server: RunningServer) -> None:
    ada, bea = await server.people("page_ada", "page_bea")
    conversation_id = await open_conversation(ada, bea)
    for number in range(1, 8):
        await send(ada, conversation_id, f"Number {number}")
    seen: dict[str, list[int]] = {"before_seq": [], "after_seq": []}
    cursors: dict[str, dict[str, int]] = {"before_seq": {}, "after_seq": {"after_seq": 0}}
    while cursors:
        for direction, cursor in list(cursors.items()):
            page = await bea.do(CHAT, "message:list", {"conversation_id": conversation_id, "limit": 3, **cursor})
            seen[direction] += [message["seq"] for message in page["items"]]
            if "next_cursor" in page:
                cursors[direction] = {direction: int(page["next_cursor"])}
            else:
                del cursors[direction]
        if len(seen["after_seq"]) == 3:
            await send(ada, conversation_id, "Number 8")
    assert seen == {"before_seq": list(range(7, 0, -1)), "after_seq": list(range(1, 9))}


async def test_a_list_goes_in_one_direction(server: RunningServer) -> None:
    ada, bea = await server.people("dir_ada", "dir_bea")
    conversation_id = await open_conversation(ada, bea)
    assert await ada.do(CHAT, "message:list", {"conversation_id": conversation_id}) == {"items": []}
    payload = {"conversation_id": conversation_id, "before_seq": 5, "after_seq": 1}
    assert await refusal(ada, "message:list", payload) == "invalid_payload"


async def test_rest_sends_and_lists_as_the_socket_does(server: RunningServer) -> None:
    ada, bea = await server.people("rest_ada", "rest_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await bea.device()
    path = f"/conversations/{conversation_id}/messages"
    status, sent = await ada.rest("POST", path, {"text": "Over HTTP", "client_id": "m1"})
    assert status == 201
    assert await device.expect_push("message:created") == sent["data"]
    assert await ada.rest("POST", path, {"text": "Over HTTP", "client_id": "m1"}) == (201, sent)
    status, listed = await bea.rest("GET", path, query={"after_seq": "0", "limit": "5"})
    assert (status, listed["data"]["items"]) == (200, [sent["data"]["message"]])


async def test_messages_are_stored_and_heard_on_their_node_while_redis_is_away(
    server: RunningServer, valkey: Valkey
) -> None:
    ada, bea = await server.people("away_ada", "away_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await bea.device(namespaces=["/chat"])
    valkey.stop()
    sent = [await send(ada, conversation_id, f"Number {number}") for number in range(3)]
    assert [push["message"] for push in await hear(device, "message:created", 3)] == sent
    valkey.start()
    assert (await device.expect_push("resync"))["scope"] in ("all", f"conversation:{conversation_id}")
    sent.append(await send(ada, conversation_id, "Back again"))
    assert await device.expect_push("message:created") == {"message": sent[-1]}
    listed = await bea.do(CHAT, "message:list", {"conversation_id": conversation_id, "after_seq": 0})
    assert listed == {"items": sent}

"""The times and ids of messages follow their numbers."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.handlers.chat.talk import CHAT, open_conversation, send, value
from tests.kit.server import RunningServer

AT_ONCE = 40


async def test_messages_sent_at_once_have_times_and_ids_in_the_order_of_their_numbers(server: RunningServer) -> None:
    ada, bea = await server.people("times_ada", "times_bea")
    conversation_id = await open_conversation(ada, bea)
    devices = [await person.device() for person in (ada, bea)]

    async def post(number: int) -> dict[str, Any]:
        body = {"text": f"Number {number}"}
        status, answer = await (ada, bea)[number % 2].rest("POST", f"/conversations/{conversation_id}/messages", body)
        assert status == 201, answer
        message: dict[str, Any] = answer["data"]["message"]
        return message

    sent = await asyncio.gather(
        *(post(number) for number in range(AT_ONCE // 2)),
        *(send(devices[number % 2], conversation_id, f"Number {number}") for number in range(AT_ONCE // 2)),
    )
    in_order = sorted(sent, key=lambda message: int(message["seq"]))
    times = [message["created_at_ms"] for message in in_order]
    ids = [int(message["id"]) for message in in_order]
    assert times == sorted(times)
    assert ids == sorted(set(ids))
    listed = await bea.do(CHAT, "message:list", {"conversation_id": conversation_id, "after_seq": 0, "limit": 100})
    assert listed["items"] == in_order
    direct = await ada.do(CHAT, "message:direct", {"limit": 100})
    assert [item["message"] for item in direct["items"]] == in_order[::-1]


async def test_a_clock_that_steps_back_turns_no_order_round(server: RunningServer, database_url: str) -> None:
    ada, bea, cid = await server.people("clock_ada", "clock_bea", "clock_cid")
    first, second = [await open_conversation(ada, other) for other in (bea, cid)]
    hour_ahead = (
        "UPDATE conversations SET last_activity_id = id_at(now() + interval '1 hour') WHERE id = $1 RETURNING 1"
    )
    await value(database_url, hour_ahead, int(first))
    earlier = await send(ada, first, "By a clock that was an hour ahead")
    later = await send(bea, first, "By the right clock")
    assert later["created_at_ms"] >= earlier["created_at_ms"]
    assert int(later["id"]) > int(earlier["id"])
    await send(ada, second, "Elsewhere the right time is used")
    listed = (await ada.do(CHAT, "conversation:list"))["items"]
    assert [item["id"] for item in listed] == [first, second]

import asyncio
import itertools
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.handlers.chat.talk import CHAT, count_unread, hear_everywhere, open_conversation, refusal, send, unread
from tests.kit.server import Person, RunningServer


async def move(person: Person, name: str, conversation_id: str, seq: int) -> dict[str, Any]:
    return await person.do(CHAT, f"message:{name}", {"conversation_id": conversation_id, "seq": seq})


async def test_a_receipt_reaches_all_devices_of_both_once(server: RunningServer) -> None:
    ada, bea = await server.people("read_ada", "read_bea")
    conversation_id = await open_conversation(ada, bea)
    for number in range(3):
        await send(ada, conversation_id, f"Number {number}")
    devices = [await person.device() for person in (ada, ada, bea, bea)]
    assert await move(bea, "read", conversation_id, 2) == {
        "conversation_id": conversation_id,
        "delivered_seq": 2,
        "read_seq": 2,
        "unread_count": 1,
    }
    for told in await hear_everywhere(devices, "receipt:updated", 1):
        assert told == [{"conversation_id": conversation_id, "user_id": bea.id, "delivered_seq": 2, "read_seq": 2}]
    await move(bea, "read", conversation_id, 2)
    for device in devices:
        await device.expect_silence("receipt:updated", within_s=0.1)


async def test_positions_never_move_back(server: RunningServer) -> None:
    ada, bea = await server.people("back_ada", "back_bea")
    conversation_id = await open_conversation(ada, bea)
    for number in range(3):
        await send(ada, conversation_id, f"Number {number}")
    await move(bea, "read", conversation_id, 3)
    for name in ("read", "delivered"):
        answer = await move(bea, name, conversation_id, 1)
        assert (answer["read_seq"], answer["delivered_seq"], answer["unread_count"]) == (3, 3, 0)


async def test_what_is_delivered_is_not_yet_read(server: RunningServer) -> None:
    ada, bea = await server.people("del_ada", "del_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await ada.device()
    await send(ada, conversation_id, "One")
    answer = await move(bea, "delivered", conversation_id, 1)
    assert (answer["delivered_seq"], answer["read_seq"], answer["unread_count"]) == (1, 0, 1)
    receipt = await device.expect_push("receipt:updated")
    assert (receipt["user_id"], receipt["delivered_seq"], receipt["read_seq"]) == (bea.id, 1, 0)


async def test_a_position_cannot_be_past_the_last_message(server: RunningServer) -> None:
    ada, bea = await server.people("past_ada", "past_bea")
    conversation_id = await open_conversation(ada, bea)
    assert (await move(bea, "read", conversation_id, 0))["unread_count"] == 0
    await send(ada, conversation_id, "One")
    for name in ("message:read", "message:delivered"):
        for seq in (2, -1, 2**63):
            payload = {"conversation_id": conversation_id, "seq": seq}
            assert await refusal(bea, name, payload) == "invalid_payload"
    assert await unread(bea, conversation_id) == 1


async def test_others_have_no_position(server: RunningServer) -> None:
    ada, bea, eve = await server.people("other_ada", "other_bea", "other_eve")
    conversation_id = await open_conversation(ada, bea)
    for name in ("message:read", "message:delivered"):
        assert await refusal(eve, name, {"conversation_id": conversation_id, "seq": 0}) == "not_found"


async def test_ones_own_message_is_read_by_its_sender(server: RunningServer) -> None:
    ada, bea = await server.people("own_ada", "own_bea")
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "Question")
    await send(bea, conversation_id, "Answer")
    assert [await unread(person, conversation_id) for person in (ada, bea)] == [1, 0]


async def test_devices_of_one_person_that_read_at_once_end_at_the_furthest(server: RunningServer) -> None:
    ada, bea = await server.people("once_ada", "once_bea")
    conversation_id = await open_conversation(ada, bea)
    count = 12
    for number in range(count):
        await send(ada, conversation_id, f"Number {number}")
    devices = [await bea.device() for _ in range(4)]
    answers = await asyncio.gather(
        *(
            devices[seq % 4].do(CHAT, "message:read", {"conversation_id": conversation_id, "seq": seq})
            for seq in range(count, 0, -1)
        )
    )
    for seq, answer in zip(range(count, 0, -1), answers, strict=True):
        assert answer["read_seq"] >= seq
        assert answer["unread_count"] == count - answer["read_seq"]
    assert await unread(bea, conversation_id) == 0


ACTS = st.lists(
    st.tuples(st.sampled_from(["send", "repeat", "read", "delivered"]), st.integers(0, 1), st.integers(0, 12)),
    min_size=1,
    max_size=25,
)
_numbers = itertools.count()


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=ACTS)
async def test_unread_counts_equal_the_rows_after_any_sequence_of_calls(
    server: RunningServer, database_url: str, acts: list[tuple[str, int, int]]
) -> None:
    people = await server.people(*(f"model_{next(_numbers)}" for _ in range(2)))
    conversation_id = await open_conversation(*people)
    last_seq = 0
    read_seq = [0, 0]
    for name, side, seq in acts:
        person = people[side]
        if name == "send":
            last_seq += 1
            await send(person, conversation_id, "Hello", client_id=f"m{last_seq}")
            read_seq[side] = last_seq
        elif name == "repeat":
            listed = await person.do(CHAT, "message:list", {"conversation_id": conversation_id})
            for message in listed["items"]:
                if message["sender"]["id"] == person.id:
                    assert await send(person, conversation_id, "Hello", client_id=message["client_id"]) == message
        elif seq <= last_seq:
            await move(person, name, conversation_id, seq)
            if name == "read":
                read_seq[side] = max(read_seq[side], seq)
        for reader, position in zip(people, read_seq, strict=True):
            assert await unread(reader, conversation_id) == last_seq - position
            assert await count_unread(database_url, conversation_id, reader) == last_seq - position

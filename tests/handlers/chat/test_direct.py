"""Messages of clients that know people and no conversations."""

from __future__ import annotations

from typing import Any

import pytest

from handlers.chat.views import message_status
from sql.chat import MemberRow
from sql.ids import UserId
from sql.people import ViewedCardRow
from tests.handlers.chat.talk import CHAT, open_conversation, send
from tests.kit.server import Person, RunningServer


async def write(person: Person, other: Person, text: str, **more: object) -> dict[str, Any]:
    status, answer = await person.rest("POST", "/messages", {"receiver_id": other.id, "content": text, **more})
    assert status == 201, answer
    data: dict[str, Any] = answer["data"]
    return data


async def listed(person: Person, **query: str) -> dict[str, Any]:
    status, answer = await person.rest("GET", f"/users/{person.id}/messages", query=query)
    assert status == 200, answer
    data: dict[str, Any] = answer["data"]
    return data


@pytest.mark.parametrize(("seq", "status"), [(2, "read"), (3, "delivered"), (4, "sent")])
def test_the_status_of_a_message_follows_the_receiver_s_positions(seq: int, status: str) -> None:
    receiver = MemberRow("member", delivered_seq=3, read_seq=2, user=ViewedCardRow(UserId(1), "bob", "Bob", 1, False))
    assert message_status(seq, receiver) == status


async def test_the_first_message_opens_the_conversation_and_reaches_both(server: RunningServer) -> None:
    ann, bob = await server.people("direct.ann", "direct.bob")
    hearer = await bob.main_device()
    written = await write(ann, bob, "Hello")
    assert (written["receiver_id"], written["status"]) == (bob.id, "sent")
    assert (written["message"]["seq"], written["message"]["text"]) == (1, "Hello")
    opened = await hearer.expect_push("conversation:updated")
    assert opened["conversation"]["id"] == written["message"]["conversation_id"] == await open_conversation(bob, ann)
    assert opened["conversation"]["last_message"] == written["message"]
    again = await write(ann, bob, "Still there?")
    for message in (written["message"], again["message"]):
        assert (await hearer.expect_push("message:created"))["message"] == message
    await hearer.expect_silence("resync", within_s=0.1)


async def test_a_retry_answers_the_present_status_of_the_message(server: RunningServer) -> None:
    ann, bob = await server.people("retry.ann", "retry.bob")
    first = await write(ann, bob, "Once", client_id="c1")
    place = {"conversation_id": first["message"]["conversation_id"], "seq": 1}
    await bob.do(CHAT, "message:delivered", place)
    assert await write(ann, bob, "Once", client_id="c1") == {**first, "status": "delivered"}
    await bob.do(CHAT, "message:read", place)
    assert await write(ann, bob, "Once", client_id="c1") == {**first, "status": "read"}


async def test_the_same_client_id_to_another_person_is_another_message(server: RunningServer) -> None:
    ann, bob, eve = await server.people("other.ann", "other.bob", "other.eve")
    to_bob = await write(ann, bob, "Once", client_id="c1")
    to_eve = await write(ann, eve, "Once more", client_id="c1")
    assert (to_eve["receiver_id"], to_eve["message"]["seq"]) == (eve.id, 1)
    assert to_eve["message"]["conversation_id"] != to_bob["message"]["conversation_id"]
    status, answer = await ann.rest("POST", "/messages", {"receiver_id": bob.id, "content": "Two", "client_id": "c1"})
    assert (status, answer["error"]["code"]) == (409, "conflict")


async def test_a_refused_message_opens_nothing(server: RunningServer) -> None:
    ann, eve = await server.people("refused.ann", "refused.eve")
    await ann.do("/users", "user:block", {"user_id": eve.id})
    status, answer = await ann.rest("POST", "/messages", {"receiver_id": eve.id, "content": "Once"})
    assert (status, answer["error"]["code"]) == (403, "forbidden")
    for person in (ann, eve):
        assert (await person.do(CHAT, "conversation:list", {}))["items"] == []


async def test_the_list_holds_all_conversations_newest_first_with_their_receivers(server: RunningServer) -> None:
    ann, bob, eve = await server.people("list.ann", "list.bob", "list.eve")
    talk = await open_conversation(bob, eve)
    await send(bob, talk, "Not for Ann")
    expected: list[tuple[dict[str, Any], str]] = []
    for number, (sender, receiver) in enumerate([(ann, bob), (eve, ann), (bob, ann), (ann, eve), (ann, bob)]):
        written = await write(sender, receiver, f"Number {number}")
        expected.insert(0, (written["message"], receiver.id))
    place = {"conversation_id": expected[0][0]["conversation_id"], "seq": 1}
    await bob.do(CHAT, "message:read", place)
    items = (await listed(ann))["items"]
    assert [(item["message"], item["receiver_id"]) for item in items] == expected
    # Whoever writes has read what was there before.
    assert [item["status"] for item in items] == ["sent", "sent", "read", "read", "read"]


async def test_pages_by_cursor_and_by_offset_are_the_same(server: RunningServer) -> None:
    ann, bob, eve = await server.people("pages.ann", "pages.bob", "pages.eve")
    for number in range(5):
        await write(ann, (bob, eve)[number % 2], f"Number {number}")
    items = (await listed(ann))["items"]
    by_cursor: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await listed(ann, limit="2", **cursor)
        by_cursor += page["items"]
        if "next_cursor" not in page:
            break
        cursor = {"before": page["next_cursor"]}
    by_offset = [item for skip in (0, 2, 4) for item in (await listed(ann, limit="2", offset=str(skip)))["items"]]
    assert by_cursor == by_offset == items
    assert len(items) == 5


async def test_messages_of_other_users_are_forbidden(server: RunningServer) -> None:
    ann, bob = await server.people("nosy.ann", "nosy.bob")
    await write(ann, bob, "Secret")
    status, answer = await (await server.person("nosy.eve")).rest("GET", f"/users/{ann.id}/messages")
    assert (status, answer["error"]["code"]) == (403, "forbidden")

"""What a block hides of a conversation that the two have: each sees and hears nothing new of the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import pytest_asyncio

from tests.handlers.chat.talk import CHAT, open_conversation, refusal, send
from tests.kit.server import Person, RunningServer
from tests.server.transports.events.test_long_polling import poller

RECEIPT = "receipt:updated"


class Blocked(NamedTuple):
    """Ada has blocked Bea, who wrote three messages, of which Ada had read the first."""

    ada: Person
    bea: Person
    conversation_id: str

    async def move(self, person: Person, seq: int, name: str = "read") -> dict[str, Any]:
        return await person.do(CHAT, f"message:{name}", {"conversation_id": self.conversation_id, "seq": seq})

    async def shown_to(self, person: Person) -> list[dict[str, Any]]:
        """The conversation in every read of it, and the two members by name in each."""
        one = (await person.do(CHAT, "conversation:get", {"conversation_id": self.conversation_id}))["conversation"]
        (listed,) = (await person.do(CHAT, "conversation:list"))["items"]
        opened = (await person.do(CHAT, "conversation:open", {"user_id": self.other(person).id}))["conversation"]
        path = f"/conversations/{self.conversation_id}"
        by_rest = (await person.rest("GET", path))[1]["data"]["conversation"]
        return [one, listed, opened, by_rest]

    def other(self, person: Person) -> Person:
        return self.bea if person is self.ada else self.ada


def member(conversation: dict[str, Any], person: Person) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in conversation["members"] if item["user"]["id"] == person.id)
    return found


@pytest_asyncio.fixture
async def blocked(server: RunningServer, request: Any) -> AsyncIterator[Blocked]:
    mark = request.node.name[5:18]
    ada, bea = await server.people(f"ada_{mark}", f"bea_{mark}")
    conversation_id = await open_conversation(ada, bea)
    scene = Blocked(ada, bea, conversation_id)
    for number in range(3):
        await send(bea, conversation_id, f"Number {number}", client_id=f"m{number}")
    await scene.move(ada, 1)
    await ada.do("/users", "user:block", {"user_id": bea.id})
    yield scene


async def test_the_blocked_hears_no_receipt_and_the_devices_of_the_other_do(
    server: RunningServer, blocked: Blocked
) -> None:
    ada, bea, conversation_id = blocked
    hers, his = await ada.device(), await bea.device()
    polled = await poller(server, bea)
    await blocked.move(ada, 2)
    path = f"/conversations/{conversation_id}/delivered"
    status, _ = await ada.rest("PUT", path, {"seq": 3})
    assert status == 200
    for read_seq, delivered_seq in ((2, 2), (2, 3)):
        receipt = await hers.expect_push(RECEIPT)
        assert (receipt["user_id"], receipt["read_seq"], receipt["delivered_seq"]) == (ada.id, read_seq, delivered_seq)

    await his.expect_silence(RECEIPT, within_s=0.1)
    assert (await polled.poll(timeout_s=0))["events"] == []
    await ada.do("/users", "user:unblock", {"user_id": bea.id})
    await send(bea, conversation_id, "Once more")
    await blocked.move(ada, 4)
    assert (await his.expect_push(RECEIPT))["read_seq"] == 4


async def test_the_blocked_sees_no_position_name_or_bio_of_the_other(blocked: Blocked) -> None:
    ada, bea, _ = blocked
    before = await blocked.shown_to(bea)
    await blocked.move(ada, 3)
    await ada.do("/users", "user:update", {"display_name": "Another name", "bio": "Another bio"})
    after = await blocked.shown_to(bea)
    assert after == before
    for conversation in after:
        assert member(conversation, ada) == {"user": {"id": ada.id, "username": ada.user["username"]}, "role": "member"}
        assert member(conversation, bea)["read_seq"] == 3
    for conversation in await blocked.shown_to(ada):
        assert member(conversation, ada)["read_seq"] == 3
        assert member(conversation, bea).keys() == {"user", "role"}
        assert member(conversation, bea)["user"]["display_name"] == bea.user["display_name"]


async def test_the_status_of_a_message_says_nothing_of_who_blocks_its_sender(blocked: Blocked) -> None:
    ada, bea, _ = blocked
    await blocked.move(ada, 3)
    assert {item["status"] for item in (await bea.do(CHAT, "message:direct"))["items"]} == {"sent"}
    retried = await bea.do(CHAT, "message:write", {"user_id": ada.id, "text": "Number 0", "client_id": "m0"})
    assert retried["status"] == "sent"
    await ada.do("/users", "user:unblock", {"user_id": bea.id})
    assert {item["status"] for item in (await bea.do(CHAT, "message:direct"))["items"]} == {"read"}


async def test_a_retry_of_an_older_message_is_not_heard_by_the_blocked(server: RunningServer) -> None:
    ada, bea = await server.people("retry_of_ada", "retry_of_bea")
    conversation_id = await open_conversation(ada, bea)
    first = await send(ada, conversation_id, "Before", client_id="m1")
    await ada.do("/users", "user:block", {"user_id": bea.id})
    hers, his = await ada.device(), await bea.device()
    assert await send(ada, conversation_id, "Before", client_id="m1") == first
    told = {"conversation_id": conversation_id, "rev": 1, "last_seq": 1}
    assert await hers.expect_push("conversation:position") == told
    await his.expect_silence("conversation:position", within_s=0.1)


async def test_both_can_block_and_each_block_ends_by_its_own_author_only(blocked: Blocked) -> None:
    ada, bea, conversation_id = blocked
    for _ in range(2):
        assert await bea.do("/users", "user:block", {"user_id": ada.id}) == {"blocked": True}
    await blocked.move(bea, 3, "delivered")
    for person in (ada, bea):
        for conversation in await blocked.shown_to(person):
            assert member(conversation, blocked.other(person)).keys() == {"user", "role"}
    assert await ada.do("/users", "user:unblock", {"user_id": bea.id}) == {"blocked": False}

    named = {"conversation_id": conversation_id, "text": "Hello"}
    assert await refusal(ada, "message:send", named) == await refusal(bea, "message:send", named) == "forbidden"
    hidden = await ada.call("/users", "user:get", {"user_id": bea.id})
    assert hidden["error"]["code"] == "not_found"
    seen = await bea.do("/users", "user:get", {"user_id": ada.id})
    assert seen["user"]["viewer"]["blocked"] is True

    assert await bea.do("/users", "user:unblock", {"user_id": ada.id}) == {"blocked": False}
    await send(ada, **named)

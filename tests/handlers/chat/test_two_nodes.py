"""What chat promises does not depend on which node a person is connected to."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from tests.handlers.chat.talk import hear_everywhere, open_conversation, send
from tests.kit.server import RunningServer, running_server, settings_for_tests


@pytest_asyncio.fixture
async def nodes(database_url: str, redis_url: str) -> AsyncIterator[list[RunningServer]]:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one, running_server(settings) as other:
        yield [one, other]


async def test_a_conversation_opened_on_one_node_is_heard_on_the_other(nodes: list[RunningServer]) -> None:
    ada, bea = await nodes[0].people("opened_ada", "opened_bea")
    far = await nodes[1].device(bea.access_token, namespaces=["/chat"])
    conversation_id = await open_conversation(ada, bea)
    message = await send(ada, conversation_id, "Can you hear me over there?")
    assert (await far.expect_push("conversation:updated"))["conversation"]["last_message"] == message
    assert await far.expect_push("message:created") == {"message": message}
    again = await send(ada, conversation_id, "And now?")
    assert await far.expect_push("message:created") == {"message": again}
    await far.expect_silence("resync", within_s=0.1)


async def test_all_nodes_get_messages_in_one_order(nodes: list[RunningServer]) -> None:
    ada, bea = await nodes[0].people("order_ada", "order_bea")
    conversation_id = await open_conversation(ada, bea)
    devices = [await node.device(person.access_token) for node in nodes for person in (ada, bea)]
    await send(ada, conversation_id, "The first one, which goes to the rooms of the two")
    await hear_everywhere(devices, "message:created", 1)
    each = 20
    sent = await asyncio.gather(
        *(send(device, conversation_id, f"Number {number}") for number in range(each) for device in devices)
    )
    total = each * len(devices)
    assert sorted(message["seq"] for message in sent) == list(range(2, total + 2))
    heard = await hear_everywhere(devices, "message:created", total)
    assert all(pushes == heard[0] for pushes in heard)
    assert sorted(push["message"]["seq"] for push in heard[0]) == list(range(2, total + 2))

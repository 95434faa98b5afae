"""The last position of a conversation is pushed again after its messages."""

from __future__ import annotations

from tests.handlers.chat.talk import CHAT, hear, open_conversation, send
from tests.kit.server import running_server, settings_for_tests

CREATED, POSITION = "message:created", "conversation:position"
EVERY_S = 0.3


async def test_it_follows_the_messages_on_all_nodes_and_is_not_repeated(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, positions_every_s=EVERY_S)
    async with running_server(settings) as one, running_server(settings, work=False) as other:
        ada, bea = await one.people("position.ada", "position.bea")
        conversation = await open_conversation(ada, bea)
        devices = [
            await one.device(ada.access_token, namespaces=[CHAT]),
            await other.device(bea.access_token, namespaces=[CHAT]),
        ]
        for text in ("one", "two", "three"):
            await send(ada, conversation, text)
        for device in devices:
            await hear(device, CREATED, 3)
            told = {"last_seq": 0}
            while told["last_seq"] < 3:
                told = await device.expect_push(POSITION)
                assert told["conversation_id"] == conversation
                assert told["rev"] == told["last_seq"]
            await device.expect_silence(POSITION, within_s=3 * EVERY_S)
            names = [
                (push.name, push.data["last_seq"] if push.name == POSITION else push.data["message"]["seq"])
                for push in device.heard
                if push.name in (CREATED, POSITION)
            ]
            for index, (name, seq) in enumerate(names):
                assert name == CREATED or (CREATED, seq) in names[:index], "a position follows its message"
            assert names[-1] == (POSITION, 3)


async def test_a_node_pushes_last_positions_before_it_stops(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, positions_every_s=10)
    async with running_server(settings) as staying:
        async with running_server(settings) as stopping:
            ada, bea = await stopping.people("position.stop.ada", "position.stop.bea")
            conversation = await open_conversation(ada, bea)
            device = await staying.device(bea.access_token, namespaces=[CHAT])
            await send(ada, conversation, "one")
            assert (await device.expect_push(CREATED))["message"]["seq"] == 1
            assert all(push.name != POSITION for push in device.heard)
        assert await device.expect_push(POSITION) == {"conversation_id": conversation, "rev": 1, "last_seq": 1}

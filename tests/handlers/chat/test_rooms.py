from tests.handlers.chat.talk import open_conversation, send
from tests.kit.server import RunningServer


async def test_a_device_gets_pushes_of_every_conversation_from_before_it_connected(server: RunningServer) -> None:
    ada, *others = await server.people("room_ada", "room_bea", "room_cid")
    conversations = [await open_conversation(other, ada) for other in others]
    device = await ada.device(namespaces=["/chat"])
    for other, conversation_id in zip(others, conversations, strict=True):
        message = await send(other, conversation_id, "Hello")
        assert await device.expect_push("message:created") == {"message": message}
    await device.expect_silence("resync", within_s=0.1)

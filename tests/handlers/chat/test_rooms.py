from handlers.chat.rooms import conversation_room
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


async def test_a_message_reaches_whoever_is_not_in_the_new_room_yet(server: RunningServer) -> None:
    """Sessions join the room of a conversation by a message to their nodes, which the next message may overtake."""
    ada, bea = await server.people("overtaken_ada", "overtaken_bea")
    await bea.main_device()
    conversation_id = await open_conversation(ada, bea)
    await send(ada, conversation_id, "One")
    await bea.expect_push("message:created")
    hub, room = server.node.hub, conversation_room(int(conversation_id))
    for session in list(hub.members("/chat", room)):
        hub.leave(session, room)
    await send(ada, conversation_id, "Two")
    for person in (ada, bea):
        while (await person.expect_push("message:created"))["message"]["text"] != "Two":
            pass

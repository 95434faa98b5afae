"""A message whose sender's node died after its commit, before it could tell anybody."""

import asyncio

import asyncpg
import pytest

from tests.handlers.chat.talk import open_conversation, send
from tests.kit.server import Person, RunningServer


async def _write_untold(database_url: str, sender: Person, conversation_id: str, text: str, client_id: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            seq = await connection.fetchval(
                "UPDATE conversations SET last_seq = last_seq + 1 WHERE id = $1 RETURNING last_seq",
                int(conversation_id),
            )
            await connection.execute(
                "INSERT INTO messages (conversation_id, seq, sender_id, text, client_id) VALUES ($1, $2, $3, $4, $5)",
                *(int(conversation_id), seq, int(sender.id), text, client_id),
            )
    finally:
        await connection.close()


@pytest.mark.xfail(
    raises=TimeoutError,
    reason="the answer to the sender's next try tells the others nothing, and nobody else does before the next message",
)
async def test_the_next_try_lets_the_others_know(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("written_ada", "written_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await bea.device(namespaces=["/chat"])
    await _write_untold(database_url, ada, conversation_id, "Did you hear?", "try-1")
    assert (await send(ada, conversation_id, "Did you hear?", client_id="try-1"))["seq"] == 1
    hints = {"message:created", "conversation:position", "resync"}
    async with asyncio.timeout(5.0):
        while not hints & {push.name for push in device.heard}:
            await asyncio.sleep(0.02)

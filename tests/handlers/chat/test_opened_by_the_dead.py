"""A conversation whose opener's node died after its commit, before it could tell anybody."""

import asyncpg

from tests.handlers.chat.talk import send
from tests.kit.server import Person, RunningServer


async def _open_untold(database_url: str, one: Person, other: Person) -> str:
    low, high = sorted((int(one.id), int(other.id)))
    connection = await asyncpg.connect(database_url)
    try:
        conversation_id = await connection.fetchval(
            "INSERT INTO conversations (kind, direct_low, direct_high) VALUES ('direct', $1, $2) RETURNING id",
            low,
            high,
        )
        await connection.execute(
            "INSERT INTO conversation_members (conversation_id, user_id) VALUES ($1, $2), ($1, $3)",
            conversation_id,
            low,
            high,
        )
    finally:
        await connection.close()
    return str(conversation_id)


async def test_its_first_message_brings_everybody_in(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("untold_ada", "untold_bea")
    device = await bea.device(namespaces=["/chat"])
    conversation_id = await _open_untold(database_url, ada, bea)
    await send(ada, conversation_id, "You do not know of me yet")
    assert await device.expect_push("resync") == {"scope": f"conversation:{conversation_id}"}
    second = await send(ada, conversation_id, "But now you do")
    assert await device.expect_push("message:created") == {"message": second}
    await device.expect_silence("resync")

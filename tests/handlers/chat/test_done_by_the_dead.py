"""What a node committed that died before it could tell anybody: a conversation, and a message."""

import asyncpg

from tests.handlers.chat.talk import open_conversation, send
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
            """
            INSERT INTO conversation_members (conversation_id, user_id, joined_at)
            VALUES ($1, $2, now()), ($1, $3, NULL)
            """,
            conversation_id,
            int(one.id),
            int(other.id),
        )
    finally:
        await connection.close()
    return str(conversation_id)


async def test_its_first_message_brings_everybody_in(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("untold_ada", "untold_bea")
    device = await bea.device(namespaces=["/chat"])
    conversation_id = await _open_untold(database_url, ada, bea)
    first = await send(ada, conversation_id, "You do not know of me yet")
    assert (await device.expect_push("conversation:updated"))["conversation"]["last_message"] == first
    second = await send(ada, conversation_id, "But now you do")
    for message in (first, second):
        assert await device.expect_push("message:created") == {"message": message}
    await device.expect_silence("resync", within_s=0.1)


async def _write_untold(database_url: str, conversation_id: str, sender: Person, text: str, client_id: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute(
            """
            WITH numbered AS (
                UPDATE conversations SET last_seq = last_seq + 1, rev = rev + 1, changed = change_stamp()
                WHERE id = $1
                RETURNING id, last_seq, rev
            )
            INSERT INTO messages (conversation_id, seq, rev, sender_id, text, client_id)
            SELECT id, last_seq, rev, $2, $3, $4 FROM numbered
            """,
            int(conversation_id),
            int(sender.id),
            text,
            client_id,
        )
    finally:
        await connection.close()


async def test_a_retry_pushes_the_last_position_to_all_members(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("unheard_ada", "unheard_bea")
    conversation_id = await open_conversation(ada, bea)
    device = await bea.device(namespaces=["/chat"])
    for number in (1, 2):
        await _write_untold(database_url, conversation_id, ada, f"Unheard {number}", f"m{number}")
    assert (await send(ada, conversation_id, "Unheard 2", client_id="m2"))["seq"] == 2
    told = {"conversation_id": conversation_id, "rev": 2, "last_seq": 2}
    assert await device.expect_push("conversation:position") == told
    assert await ada.expect_push("conversation:position") == told
    await device.expect_silence("message:created")


async def test_a_retry_of_the_first_message_brings_everybody_in(server: RunningServer, database_url: str) -> None:
    ada, bea = await server.people("alone_ada", "alone_bea")
    device = await bea.device(namespaces=["/chat"])
    conversation_id = await _open_untold(database_url, ada, bea)
    await _write_untold(database_url, conversation_id, ada, "Unheard", "m1")
    assert (await send(ada, conversation_id, "Unheard", client_id="m1"))["seq"] == 1
    assert await device.expect_push("resync") == {"scope": f"conversation:{conversation_id}"}

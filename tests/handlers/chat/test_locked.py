"""Conversations that another transaction has locked hold up nobody else, and no connection."""

import asyncio

import asyncpg
import pytest

from tests.handlers.chat.talk import CHAT, open_conversation, send
from tests.kit.server import RunningServer

MORE_THAN_CONNECTIONS = 40


@pytest.mark.parametrize("rows", ["conversations WHERE id", "conversation_members WHERE conversation_id"])
async def test_messages_and_receipts_of_others_are_answered_meanwhile(
    server: RunningServer, database_url: str, rows: str
) -> None:
    ada, bea, cid = await server.people(*(f"{name}.{rows.split()[0]}" for name in ("ada", "bea", "cid")))
    held, free = await open_conversation(ada, bea), await open_conversation(ada, cid)
    await send(ada, held, "Before")
    connection = await asyncpg.connect(database_url)
    try:
        async with connection.transaction():
            await connection.execute(f"SELECT FROM {rows} = $1 FOR NO KEY UPDATE", int(held))
            waiting = [
                asyncio.ensure_future(send(ada, held, str(number), client_id=str(number)))
                for number in range(MORE_THAN_CONNECTIONS)
            ]
            receipt = asyncio.ensure_future(bea.do(CHAT, "message:read", {"conversation_id": held, "seq": 1}))
            for seq in range(1, 4):
                assert (await send(cid, free, "Meanwhile"))["seq"] == seq
                read = await cid.do(CHAT, "message:read", {"conversation_id": free, "seq": seq})
                assert (read["read_seq"], read["unread_count"]) == (seq, 0)
            assert not any(call.done() for call in waiting)
            if rows.startswith("conversations"):
                await receipt  # writes nothing but the member's row
            else:
                assert not receipt.done()
    finally:
        await connection.close()
    messages = await asyncio.gather(*waiting)
    assert [(message["seq"], message["text"]) for message in messages] == [
        (2 + number, str(number)) for number in range(MORE_THAN_CONNECTIONS)
    ]
    assert (await receipt)["read_seq"] == 1

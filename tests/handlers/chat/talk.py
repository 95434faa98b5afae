"""Two people who talk: what most chat tests begin with and ask for."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg

from tests.kit.device import Device
from tests.kit.server import Person
from tests.sql.world import changing_message

CHAT = "/chat"


async def open_conversation(person: Person, other: Person) -> str:
    """Its id."""
    answer = await person.do(CHAT, "conversation:open", {"user_id": other.id})
    conversation_id: str = answer["conversation"]["id"]
    return conversation_id


async def send(person: Person | Device, conversation_id: str, text: str, **more: object) -> dict[str, Any]:
    """The message as it was answered."""
    payload = {"conversation_id": conversation_id, "text": text, **more}
    message: dict[str, Any] = (await person.do(CHAT, "message:send", payload))["message"]
    return message


async def edit_untold(database_url: str, conversation_id: str, seq: int, text: str) -> int:
    """A message is edited by somebody whose pushes are lost. Answers the rev of the change."""
    setting = "text = $3, edited_at = now()"
    return int(await value(database_url, changing_message(setting), int(conversation_id), seq, text))


async def delete_untold(database_url: str, conversation_id: str, seq: int) -> int:
    return int(await value(database_url, changing_message("deleted_at = now()"), int(conversation_id), seq))


async def join_again(database_url: str, conversation_id: str, person: Person) -> None:
    """The person is stamped as one who has just joined, and the messages as older than everything."""
    await value(database_url, "UPDATE messages SET changed = 1 WHERE conversation_id = $1", int(conversation_id))
    await value(
        database_url,
        "UPDATE conversation_members SET changed = change_stamp(), membership_changed = change_stamp()"
        " WHERE conversation_id = $1 AND user_id = $2",
        int(conversation_id),
        int(person.id),
    )


async def refusal(person: Person, name: str, payload: dict[str, Any]) -> str:
    """The code that a command is refused with."""
    answer = await person.call(CHAT, name, payload)
    assert not answer["ok"], answer
    code: str = answer["error"]["code"]
    return code


async def unread(person: Person, conversation_id: str) -> int:
    answer = await person.do(CHAT, "conversation:get", {"conversation_id": conversation_id})
    count: int = answer["conversation"]["viewer"]["unread_count"]
    return count


async def hear(device: Device | Person, name: str, count: int) -> list[Any]:
    """The next pushes of this name, in the order in which they came."""
    return [await device.expect_push(name) for _ in range(count)]


async def hear_everywhere(devices: list[Device], name: str, count: int) -> list[list[Any]]:
    """The same for several devices."""
    return list(await asyncio.gather(*(hear(device, name, count) for device in devices)))


async def count_unread(database_url: str, conversation_id: str, reader: Person) -> int:
    """What unread means, counted from the rows: messages of others above the reader's position."""
    return int(
        await value(
            database_url,
            "SELECT count(*) FROM messages m JOIN conversation_members r USING (conversation_id)"
            " WHERE m.conversation_id = $1 AND r.user_id = $2 AND m.sender_id <> $2 AND m.seq > r.read_seq",
            int(conversation_id),
            int(reader.id),
        )
    )


async def value(database_url: str, sql: str, *arguments: object) -> Any:
    """One value straight from the tables."""
    connection = await asyncpg.connect(database_url)
    try:
        return await connection.fetchval(sql, *arguments)
    finally:
        await connection.close()

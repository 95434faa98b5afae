"""A person who writes messages, and what the reader's devices must receive."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

from tests.handlers.chat.talk import CHAT, open_conversation, send
from tests.kit.device import Device
from tests.kit.recovering import RecoveringDevice
from tests.kit.server import Person, RunningServer

CREATED = "message:created"
TIMES_LOST = 5
"""How often each connection breaks while others write."""


async def two(server: RunningServer) -> tuple[Person, Person]:
    """Two people that no other test of the module uses."""
    mark = secrets.token_hex(4)
    writer, reader = await server.people(f"writer_{mark}", f"reader_{mark}")
    return writer, reader


async def two_who_talk(server: RunningServer) -> tuple[Person, Person, str]:
    """Writer, reader, and their conversation."""
    writer, reader = await two(server)
    return writer, reader, await open_conversation(writer, reader)


def at(server: RunningServer, person: Person) -> Person:
    """The same person, calling another node."""
    session = {"user": person.user, "access_token": person.access_token, "refresh_token": person.refresh_token}
    return Person(server, session, person.password)


async def say(writer: Person, conversation_id: str, *texts: str) -> None:
    for text in texts:
        await send(writer, conversation_id, text)


def texts(device: RecoveringDevice) -> list[str]:
    """The texts of the messages that the device received, in its order."""
    return [args[0]["message"]["text"] for args in device.told(CHAT, CREATED)]


def offsets(device: RecoveringDevice, event: str = CREATED) -> list[Any]:
    """The argument after the data in each of these pushes; None where there is none."""
    return [args[1] if len(args) > 1 else None for args in device.told(CHAT, event)]


@asynccontextmanager
async def much_writing(devices: Sequence[Device], conversation_id: str) -> AsyncIterator[list[str]]:
    """All these devices write continuously during the block; afterwards the list holds what was written."""
    over, written = asyncio.Event(), list[str]()

    async def write(author: int) -> None:
        for number in count():
            if over.is_set():
                return
            text = f"{author}.{number}"
            await devices[author].do(CHAT, "message:send", {"conversation_id": conversation_id, "text": text})
            written.append(text)

    async with asyncio.TaskGroup() as group:
        for author in range(len(devices)):
            group.create_task(write(author))
        try:
            yield written
        finally:
            over.set()


async def until_texts(device: RecoveringDevice, *expected: str) -> None:
    """Waits for the last of these, and checks that the device received exactly all of them, in order."""
    await device.until(lambda: bool(expected) and expected[-1] in texts(device))
    assert texts(device) == list(expected)

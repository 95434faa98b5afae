"""Connections break anywhere, even in the middle of a frame or a replay: nothing is lost and nothing comes twice."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from tests.handlers.chat.talk import CHAT
from tests.kit.light_socket import LightSocket, SocketLost
from tests.kit.server import Person, RunningServer, running_server, settings_for_tests
from tests.recovery.talk import CREATED, say, two_who_talk

LONGEST_TEXT = 3_000
MOST_READ_BYTES = 8_000
WAIT_S = 60.0


class Restless:
    """A client whose connections break after a random number of bytes. `texts`: what it received in all of them."""

    def __init__(self, servers: Sequence[RunningServer], token: str, chance: random.Random) -> None:
        self._servers = servers
        self._token = token
        self._chance = chance
        self._pid: str | None = None
        self._offsets: dict[str, str] = {}
        self._left_open: list[LightSocket] = []
        self.texts: list[str] = []
        self.resyncs = 0

    async def begin(self) -> None:
        (await self._open(None, asyncio.Event())).abort()

    async def live(self, connections: int) -> None:
        """Opens this many connections, each when the last has broken."""
        for _ in range(connections):
            lost = asyncio.Event()
            try:
                await self._open(self._chance.randint(1, MOST_READ_BYTES), lost)
            except SocketLost:
                continue
            await lost.wait()

    async def slip(self, connections: int) -> None:
        """The same, but the connections are left open and unread after some pushes."""
        for _ in range(connections):
            socket = await self._open(None, asyncio.Event())
            heard = len(self.texts) + self._chance.randint(0, 4)
            while len(self.texts) < heard:
                await asyncio.sleep(0)
            socket.stall()
            self._left_open.append(socket)

    async def settle(self, last: str) -> None:
        """Stays connected until the last text has arrived."""
        socket = await self._open(None, asyncio.Event())
        async with asyncio.timeout(WAIT_S):
            while not self.texts or self.texts[-1] != last:
                await asyncio.sleep(0.01)
        for one in (socket, *self._left_open):
            one.abort()

    async def _open(self, reads_bytes: int | None, lost: asyncio.Event) -> LightSocket:
        known = {"pid": self._pid} if self._pid else {}
        if CHAT in self._offsets:
            known["offset"] = self._offsets[CHAT]

        def on_push(namespace: str, name: str, data: Any) -> None:
            if name == CREATED:
                self.texts.append(data["message"]["text"])
            self.resyncs += name == "resync"

        socket = await LightSocket.open(
            self._chance.choice(self._servers).url,
            {CHAT: {"token": self._token, "recovery": True, **known}},
            on_push=on_push,
            on_lost=lambda _: lost.set(),
            offsets=self._offsets,
            reads_bytes=reads_bytes,
        )
        pid = socket.joined[CHAT]["pid"]
        assert self._pid in (None, pid), "the session was not recovered"
        self._pid = pid
        return socket


async def live_through(
    servers: Sequence[RunningServer], writer: Person, reader: Person, conversation: str, *, clients: int, each: int
) -> None:
    """While a writer writes, clients break their connections; in the end each has everything once and in order."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chances = [random.Random(f"{seed} {number}") for number in range(clients + 1)]
    restless = [Restless(servers, reader.access_token, chance) for chance in chances[1:]]
    for one in restless:
        await one.begin()
    done = False
    said: list[str] = []

    async def write() -> None:
        while not done:
            said.append(f"{len(said)} " + "x" * chances[0].randint(0, LONGEST_TEXT))
            await say(writer, conversation, said[-1])

    writing = asyncio.create_task(write())
    try:
        await asyncio.gather(
            *(one.slip(each) if number % 4 == 0 else one.live(each) for number, one in enumerate(restless))
        )
    finally:
        done = True
        await writing
    for one in restless:
        await one.settle(said[-1])
        assert [text.split()[0] for text in one.texts] == [text.split()[0] for text in said]
        assert one.texts == said and one.resyncs == 0


@pytest.mark.parametrize("nodes", [1, 3])
async def test_every_push_comes_once_and_in_order(database_url: str, redis_url: str, nodes: int) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings) as one:
        writer, reader, conversation = await two_who_talk(one)
        if nodes == 1:
            await live_through([one], writer, reader, conversation, clients=12, each=25)
            return
        async with running_server(settings, work=False) as two, running_server(settings, work=False) as three:
            await live_through([one, two, three], writer, reader, conversation, clients=8, each=20)

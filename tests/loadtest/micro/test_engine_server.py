"""The server that outside clients measure: its answers, and recovery for clients that ask for it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from loadtest.bench.engine.servers import ENGINE, RECOVERY
from loadtest.bench.processes import ServerProcess


@pytest.fixture(scope="module")
def recovering() -> Iterator[ServerProcess]:
    with ServerProcess(RECOVERY.command) as server:
        server.ready()
        yield server


@asynccontextmanager
async def connected(
    server: ServerProcess, **auth: object
) -> AsyncIterator[tuple[ClientWebSocketResponse, dict[str, Any]]]:
    """A socket, and the answer to its CONNECT."""
    url = f"http://127.0.0.1:{server.port}/socket.io/?EIO=4&transport=websocket"
    async with ClientSession() as http, http.ws_connect(url) as socket:
        await socket.receive_str()
        await socket.send_str(f"40{json.dumps(auth)}")
        yield socket, json.loads((await socket.receive_str()).removeprefix("40"))


async def heard(socket: ClientWebSocketResponse) -> list[Any]:
    event: list[Any] = json.loads((await socket.receive_str()).removeprefix("42"))
    return event


async def test_a_lost_client_gets_its_session_back_with_what_it_missed(recovering: ServerProcess) -> None:
    async with connected(recovering, recovery=True) as (socket, session):
        await socket.send_str('42["pub",1]')
        name, payload, offset = await heard(socket)
        assert (name, payload) == ("msg", 1)
    async with connected(recovering) as (other, _):
        for number in (2, 3):
            await other.send_str(f'42["pub",{number}]')
            assert await heard(other) == ["msg", number]  # no offset for a client that did not ask for recovery
    async with connected(recovering, recovery=True, pid=session["pid"], offset=offset) as (socket, again):
        assert again == session
        assert [(await heard(socket))[:2] for _ in range(2)] == [["msg", 2], ["msg", 3]]
        await socket.send_str('42["pub",4]')
        assert (await heard(socket))[:2] == ["msg", 4]


async def test_who_cannot_have_it_back_begins_anew_and_is_told(recovering: ServerProcess) -> None:
    async with connected(recovering, recovery=True, pid="micro.unknown", offset="a.1") as (socket, session):
        assert session["pid"] != "micro.unknown"
        assert (await heard(socket))[:2] == ["resync", {"scope": "all"}]


async def test_without_the_option_nobody_is_followed_and_everybody_is_answered() -> None:
    with ServerProcess(ENGINE.command) as server:
        server.ready()
        async with connected(server, recovery=True) as (socket, session), connected(server) as (other, _):
            assert set(session) == {"sid"}
            await socket.send_str('427["echo",{}]')
            assert await socket.receive_str() == '437[{"ok":true}]'
            await socket.send_str('42["pub",{"a":[1]}]')
            assert await heard(socket) == await heard(other) == ["msg", {"a": [1]}]

"""A server process that is asked to stop while a thousand clients are connected."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import orjson
import pytest

from server.config import CHECKOUT, Settings
from tests.kit.server import PASSWORD

CLIENTS = 1_000
EXIT_WITHIN_S = 5.0
DRAINING = 4012
ENGINE = "/socket.io/?EIO=4&transport="


class Serving:
    """A `serve` process."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url


@asynccontextmanager
async def serving(database_url: str, redis_url: str, data: Path, port: int) -> AsyncIterator[Serving]:
    kept = {name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields}
    given = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "DATA_DIR": str(data), "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", "serve",
        cwd=CHECKOUT,
        env=kept | given | {"ENV_FILE": os.devnull, "LOG_FORMAT": "json", "RATE_LIMIT_FACTOR": "10000"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    url = ""
    try:
        while not url:
            line = (await process.stderr.readline()).decode()
            assert line, "the server ended before it was ready"
            if match := re.search(r'"port":(\d+)', line):
                url = f"http://127.0.0.1:{match.group(1)}"
        yield Serving(process, url)
    finally:
        if process.returncode is None:
            process.kill()
        _, log = await process.communicate()
    assert not re.search(rb'"level":"(error|critical)"|Traceback', log), log.decode()


async def until_closed(websocket: aiohttp.ClientWebSocketResponse) -> tuple[int | None, list[str]]:
    """The close code, and what was heard before it."""
    heard: list[str] = []
    while True:
        message = await websocket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return websocket.close_code, heard
        heard.append(message.data)


async def joined(http: aiohttp.ClientSession, url: str, token: str) -> aiohttp.ClientWebSocketResponse:
    websocket = await http.ws_connect(f"{url}{ENGINE}websocket")
    await websocket.receive_str()
    await websocket.send_str(f'40/users,{{"token":"{token}"}}')
    assert (await websocket.receive_str()).startswith("40/users")
    return websocket


async def status(http: aiohttp.ClientSession, url: str) -> tuple[int, str | None]:
    """Status and Retry-After of an answer; status 0 when the port is closed."""
    try:
        async with http.get(url, headers={"Connection": "close"}) as response:
            return response.status, response.headers.get("Retry-After")
    except aiohttp.ClientConnectionError:
        return 0, None


async def until_refusing(http: aiohttp.ClientSession, url: str) -> tuple[int, tuple[int, str | None]]:
    """What `/ready` answers once that is not 200 any more, and a handshake after it."""
    while (ready := (await status(http, f"{url}/ready"))[0]) == 200:
        pass
    return ready, await status(http, f"{url}{ENGINE}polling")


@pytest.mark.timeout(120)
async def test_a_thousand_clients_are_let_go_and_a_running_command_is_answered(
    database_url: str, redis_url: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(serving(database_url, redis_url, tmp_path, 0))
        http = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True))
        )
        body = {"username": "drainer", "password": PASSWORD, "email": "drainer@example.org"}
        async with http.post(f"{server.url}/v1/auth/register", json=body) as response:
            person: dict[str, Any] = (await response.json())["data"]
        token = person["access_token"]
        sockets = []
        for _ in range(0, CLIENTS, 50):
            sockets += await asyncio.gather(*(joined(http, server.url, token) for _ in range(50)))
        clients = [asyncio.create_task(until_closed(websocket)) for websocket in sockets[1:]]
        assert (await status(http, f"{server.url}/ready"))[0] == 200

        # A command that takes a while: somebody else holds the row that it changes.
        holder = await asyncpg.connect(database_url)
        stack.push_async_callback(holder.close)
        holding = holder.transaction()
        await holding.start()
        await holder.execute("SELECT FROM users WHERE id = $1 FOR UPDATE", int(person["user"]["id"]))
        await sockets[0].send_str('42/users,1["user:update",{"bio":"still answered"}]')
        running = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        while not await holder.fetchval(running):
            await asyncio.sleep(0.01)

        asked_at_s = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        refusing = asyncio.create_task(until_refusing(http, server.url))
        # A close waits a second for the answer that is being made: the row is free as soon as the drain has begun.
        assert "server:draining" in await sockets[0].receive_str()
        await holding.rollback()
        code, heard = await until_closed(sockets[0])
        ready, (refused, retry_after) = await refusing
        assert ready == 503 and refused == 503 and retry_after is not None and int(retry_after) > 0
        answers = [orjson.loads(packet.removeprefix("43/users,1")) for packet in heard if packet.startswith("43")]
        assert code == DRAINING and [answer["ok"] for (answer,) in answers] == [True]

        assert await server.process.wait() == 0
        assert time.monotonic() - asked_at_s < EXIT_WITHIN_S
        assert {code for code, _ in await asyncio.gather(*clients)} == {DRAINING}
        bio = await holder.fetchval("SELECT bio FROM users WHERE id = $1", int(person["user"]["id"]))
        assert bio == "still answered"

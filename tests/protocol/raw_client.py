"""Clients that know nothing of Socket.IO: they send the text they are given and show what comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.protocol.echo_server import EchoServer

QUERY = "/socket.io/?EIO=4&transport="


class RawSocket:
    """A WebSocket whose handshake is done."""

    def __init__(self, websocket: ClientWebSocketResponse, opened: dict[str, Any]) -> None:
        self.websocket = websocket
        self.opened = opened

    async def send(self, *messages: str | bytes) -> None:
        for message in messages:
            if isinstance(message, bytes):
                await self.websocket.send_bytes(message)
            else:
                await self.websocket.send_str(message)

    async def receive(self) -> str:
        return str(await self.websocket.receive_str())

    async def ask(self, *messages: str | bytes) -> str:
        await self.send(*messages)
        return await self.receive()

    async def connect(self, namespace: str = "/chat", auth: str = "") -> str:
        """Connects a namespace and returns its session id."""
        answer = await self.ask(f"40{namespace},{auth}")
        return str(json.loads(answer.removeprefix(f"40{namespace},"))["sid"])

    async def closed(self) -> tuple[int | None, str]:
        """Reads until the server closes; the code and the reason that it gave."""
        while True:
            message = await self.websocket.receive()
            if message.type is WSMsgType.CLOSE:
                return message.data, message.extra or ""
            if message.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                return None, ""


@asynccontextmanager
async def raw_socket(server: EchoServer, query: str = "", **options: Any) -> AsyncIterator[RawSocket]:
    async with (
        ClientSession() as http,
        http.ws_connect(f"{server.url}{QUERY}websocket{query}", max_msg_size=0, **options) as websocket,
    ):
        first = str(await websocket.receive_str())
        yield RawSocket(websocket, json.loads(first[1:]))


class RawPolling:
    """A polling client whose handshake is done."""

    def __init__(self, http: ClientSession, server: EchoServer, opened: dict[str, Any]) -> None:
        self.http = http
        self.opened = opened
        self.sid = opened["sid"]
        self.url = f"{server.url}{QUERY}polling&sid={self.sid}"
        self.websocket_url = f"{server.url}{QUERY}websocket&sid={self.sid}"

    async def post(self, *packets: str) -> int:
        return (await self.post_body("\x1e".join(packets)))[0]

    async def post_body(self, body: Any) -> tuple[int, str]:
        async with self.http.post(self.url, data=body) as answer:
            return answer.status, await answer.text()

    async def poll(self) -> tuple[int, list[str]]:
        async with self.http.get(self.url) as answer:
            return answer.status, (await answer.text()).split("\x1e")

    async def packets(self) -> list[str]:
        status, packets = await self.poll()
        assert status == 200, packets
        return packets

    async def gather(self, count: int) -> list[str]:
        """Polls until there are so many packets."""
        packets: list[str] = []
        while len(packets) < count:
            packets += await self.packets()
        return packets

    async def connect(self, namespace: str = "/chat") -> None:
        assert await self.post(f"40{namespace},") == 200
        assert (await self.packets())[0].startswith(f"40{namespace},")


@asynccontextmanager
async def raw_polling(server: EchoServer) -> AsyncIterator[RawPolling]:
    async with ClientSession() as http, http.get(f"{server.url}{QUERY}polling") as answer:
        assert answer.status == 200
        opened = json.loads((await answer.text())[1:])
        yield RawPolling(http, server, opened)


async def raw_http(server: EchoServer, *pieces: bytes) -> bytes:
    """Sends pieces of bytes one by one over a new TCP connection and returns all that comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)  # so that the pieces leave as segments of their own
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()

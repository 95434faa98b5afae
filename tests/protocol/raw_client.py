"""Clients that know nothing of Socket.IO: they send what they are given, in their dialect, and return the responses."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType

from tests.protocol.dialect import JSON, Dialect, Message
from tests.protocol.echo_server import EchoServer

QUERY = "/socket.io/?EIO=4&transport="


class RawSocket:
    """A WebSocket whose handshake is done."""

    def __init__(self, websocket: ClientWebSocketResponse, opened: dict[str, Any], dialect: Dialect) -> None:
        self.websocket = websocket
        self.opened = opened
        self._dialect = dialect

    async def send(self, *packets: Message) -> None:
        for message in map(self._dialect.write, packets):
            if isinstance(message, bytes):
                await self.websocket.send_bytes(message)
            else:
                await self.websocket.send_str(message)

    async def receive(self) -> str:
        message = await self.websocket.receive()
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            raise TypeError(f"the server said no more: {message}")
        return self._dialect.read(message.data)

    async def ask(self, *packets: Message) -> str:
        await self.send(*packets)
        return await self.receive()

    async def connect(self, namespace: str = "/chat", auth: str = "") -> str:
        """Connects a namespace and returns its session id."""
        answer = await self.ask(f"40{namespace},{auth}")
        return str(json.loads(answer.removeprefix(f"40{namespace},"))["sid"])

    async def closed(self) -> tuple[int | None, str]:
        """Reads until the server closes; returns its close code and reason."""
        while True:
            message = await self.websocket.receive()
            if message.type is WSMsgType.CLOSE:
                return message.data, message.extra or ""
            if message.type in (WSMsgType.CLOSED, WSMsgType.ERROR):
                return None, ""


@asynccontextmanager
async def raw_socket(
    server: EchoServer, dialect: Dialect = JSON, *, query: str = "", **options: Any
) -> AsyncIterator[RawSocket]:
    url = f"{server.url}{dialect.path}?EIO=4&transport=websocket{query}"
    async with ClientSession() as http, http.ws_connect(url, max_msg_size=0, **options) as websocket:
        first = str(await websocket.receive_str())
        yield RawSocket(websocket, json.loads(first[1:]), dialect)


class RawPolling:
    """A polling client whose handshake is done."""

    def __init__(self, http: ClientSession, server: EchoServer, opened: dict[str, Any], dialect: Dialect) -> None:
        self.http = http
        self.opened = opened
        self.sid = opened["sid"]
        self.url = f"{server.url}{dialect.path}?EIO=4&transport=polling&sid={self.sid}"
        self.websocket_url = f"{server.url}{dialect.path}?EIO=4&transport=websocket&sid={self.sid}"
        self._dialect = dialect

    @asynccontextmanager
    async def websocket(self) -> AsyncIterator[RawSocket]:
        """A WebSocket beside the polling, on which nothing was sent yet."""
        async with self.http.ws_connect(self.websocket_url) as websocket:
            yield RawSocket(websocket, self.opened, self._dialect)

    async def post(self, *packets: Message) -> int:
        return (await self.post_body("\x1e".join(_in_a_payload(self._dialect.write(packet)) for packet in packets)))[0]

    async def post_body(self, body: Any) -> tuple[int, str]:
        async with self.http.post(self.url, data=body) as answer:
            return answer.status, await answer.text()

    async def poll(self) -> tuple[int, list[str]]:
        async with self.http.get(self.url) as answer:
            parts = (await answer.text()).split("\x1e")
            return answer.status, [self._dialect.read(_out_of_a_payload(part)) for part in parts]

    async def packets(self) -> list[str]:
        status, packets = await self.poll()
        assert status == 200, packets
        return packets

    async def gather(self, count: int) -> list[str]:
        """Polls until there are this many packets."""
        packets: list[str] = []
        while len(packets) < count:
            packets += await self.packets()
        return packets

    async def connect(self, namespace: str = "/chat") -> None:
        assert await self.post(f"40{namespace},") == 200
        assert (await self.packets())[0].startswith(f"40{namespace},")


@asynccontextmanager
async def raw_polling(server: EchoServer, dialect: Dialect = JSON) -> AsyncIterator[RawPolling]:
    url = f"{server.url}{dialect.path}?EIO=4&transport=polling"
    async with ClientSession() as http, http.get(url) as answer:
        assert answer.status == 200
        opened = json.loads((await answer.text())[1:])
        yield RawPolling(http, server, opened, dialect)


def _in_a_payload(message: Message) -> str:
    return message if isinstance(message, str) else "b" + base64.b64encode(message).decode()


def _out_of_a_payload(part: str) -> Message:
    return base64.b64decode(part[1:], validate=True) if part.startswith("b") else part


async def raw_http(server: EchoServer, *pieces: bytes) -> bytes:
    """Sends pieces of bytes one by one over a new TCP connection and returns the whole response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.001)  # so that the pieces leave as separate segments
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()

"""A Socket.IO client that sends JSON exactly as given, so that a test can send what no library would."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

ANSWER_TIMEOUT_S = 20.0


class RawSocket:
    """A WebSocket that has joined some namespaces."""

    def __init__(self, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self._websocket = websocket
        self._next_id = 0

    async def call(self, namespace: str, name: str, payload: bytes) -> dict[str, Any]:
        """Calls a command with these bytes as its payload; returns the answer and skips pushes that precede it."""
        self._next_id += 1
        head = f"42{namespace},{self._next_id}".encode() + b"[" + orjson.dumps(name) + b","
        await self._websocket.send_str((head + payload + b"]").decode("utf-8"))
        expected = f"43{namespace},{self._next_id}["
        while True:
            message = await self._websocket.receive(timeout=ANSWER_TIMEOUT_S)
            assert message.type is aiohttp.WSMsgType.TEXT, f"{name}: the server closed: {message}"
            if message.data == "2":
                await self._websocket.send_str("3")
            elif message.data.startswith(expected):
                answers = orjson.loads(message.data[len(expected) - 1 :])
                assert len(answers) == 1, f"an answer is one object, not {answers}"
                answer: dict[str, Any] = answers[0]
                return answer


@asynccontextmanager
async def raw_socket(
    http: aiohttp.ClientSession, url: str, token: str | None, namespaces: Sequence[str]
) -> AsyncIterator[RawSocket]:
    """Connects and joins the namespaces with this token."""
    async with http.ws_connect(f"{url}/socket.io/?EIO=4&transport=websocket", max_msg_size=0) as websocket:
        assert (await websocket.receive_str()).startswith("0")
        auth = orjson.dumps({} if token is None else {"token": token}).decode()
        for namespace in namespaces:
            await websocket.send_str(f"40{namespace},{auth}")
            answer = await websocket.receive_str(timeout=ANSWER_TIMEOUT_S)
            assert answer.startswith(f"40{namespace},"), answer
        yield RawSocket(websocket)

"""A client with any number of commands under way."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, Final

from loadtest.bench.answers import data_of
from loadtest.bench.calls import Call
from loadtest.bench.frames import event, masked, split

_ACK: Final = b"43"
_EVENT: Final = b"42"
_PING: Final = b"2"
_PONG: Final = masked("3")


class LoadSocket(asyncio.Protocol):
    """A connected client. `on_push` gets each push as it stands on the wire."""

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        on_loss: Callable[[str], None],
        on_push: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """`on_loss` gets why the connection ended, unless `close` was called."""
        self.on_push = on_push
        self._transport = transport
        self._on_loss = on_loss
        self._unread = b""
        self._ids = itertools.count(1)
        self._waiting: dict[int, Callable[[bytes], None]] = {}
        self._is_closed = False

    def send(self, call: Call, answered: Callable[[bytes], None]) -> None:
        """Sends a command; its answer is given as it stands on the wire."""
        ack_id = next(self._ids)
        self._waiting[ack_id] = answered
        self._transport.write(event(call.name, call.payload, ack_id, namespace=call.namespace))

    async def ask(self, call: Call) -> Any:
        """The data of the answer. Raises ClientFailed where the command is refused."""
        return data_of(await self.answer_to(call))

    async def answer_to(self, call: Call) -> bytes:
        """The answer as it stands on the wire."""
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        def answered(told: bytes) -> None:
            if not answer.done():
                answer.set_result(told)

        self.send(call, answered)
        return await answer

    def close(self) -> None:
        self._is_closed = True
        self._transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._is_closed:
            self._on_loss(f"a client was closed: {error}")

    def data_received(self, data: bytes) -> None:
        payloads, self._unread = split(self._unread + data if self._unread else data)
        for payload in payloads:
            if payload.startswith(_ACK):
                head = payload[len(_ACK) : payload.index(b"[")]
                self._waiting.pop(int(head.rpartition(b",")[2]))(payload)
            elif payload.startswith(_EVENT):
                self.on_push(payload)
            elif payload == _PING:
                self._transport.write(_PONG)

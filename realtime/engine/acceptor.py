"""The port of a node: WebSocket handshakes go straight to the engines, all other requests to aiohttp."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Final, cast

from aiohttp import web

from realtime.engine.http.request_head import read_head
from realtime.engine.server import SocketEngine
from realtime.engine.timing.delay_line import DelayLine

FIRST_REQUEST_WITHIN_S: Final = 75.0
"""How long a socket may send nothing."""


class EngineAcceptor(web.BaseSite):
    """Listens for clients of an aiohttp application and of the engines that are attached to it.

    A plain opening handshake, in one piece at the beginning of a socket, is answered without aiohttp, whose part in it
    would cost more than all the rest of a connection. aiohttp answers everything else, also handshakes that are not
    plain or are refused: they mean the same on both ways. `http_protocol` makes its side of a connection; by default
    the runner's server does.
    """

    def __init__(
        self,
        runner: web.BaseRunner,
        listening: socket.socket,
        engines: Iterable[SocketEngine],
        *,
        http_protocol: Callable[[], asyncio.Protocol] | None = None,
        backlog: int = 1024,
        first_request_within_s: float = FIRST_REQUEST_WITHIN_S,
    ) -> None:
        super().__init__(runner, backlog=backlog)
        self._listening = listening
        self._http_protocol = http_protocol or cast(Callable[[], asyncio.Protocol], runner.server)
        self._engines = {path: engine for engine in engines for path in engine.paths}
        self._silent: DelayLine[FirstRequest] = DelayLine(first_request_within_s, lambda silent: silent.close())

    @property
    def name(self) -> str:
        return f"http://{self._listening.getsockname()}"

    async def start(self) -> None:
        await super().start()
        self._server = await asyncio.get_running_loop().create_server(
            self._accept, sock=self._listening, backlog=self._backlog
        )

    async def stop(self) -> None:
        """Accepts no socket any more, and closes those on which nothing has been sent."""
        await super().stop()
        for silent in self._silent.waiting():
            silent.close()

    def _accept(self) -> FirstRequest:
        return FirstRequest(self._engines, self._http_protocol, self._silent)


class FirstRequest(asyncio.Protocol):
    """A socket whose client has sent nothing yet."""

    __slots__ = ("_engines", "_make_http_protocol", "_silent", "_transport")

    def __init__(
        self,
        engines: dict[str, SocketEngine],
        make_http_protocol: Callable[[], asyncio.Protocol],
        silent: DelayLine[FirstRequest],
    ) -> None:
        self._engines = engines
        self._make_http_protocol = make_http_protocol
        self._silent = silent
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._silent.put(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._silent.discard(self)

    def data_received(self, data: bytes) -> None:
        self._silent.discard(self)
        transport = self._transport
        assert transport is not None
        peer = transport.get_extra_info("peername")
        found = read_head(data, peer[0] if isinstance(peer, tuple) else None)
        if found is not None:
            head, early = found
            engine = self._engines.get(head.path)
            if engine is not None and engine.begins_connection(head):
                engine.open_connection(head, transport, early, on_refused=lambda: self._serve_http(transport, data))
                return
        self._serve_http(transport, data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def _serve_http(self, transport: asyncio.Transport, data: bytes) -> None:
        protocol = self._make_http_protocol()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(data)

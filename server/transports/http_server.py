"""The HTTP server of a node: one aiohttp application on one port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from socket import socket
from typing import Any

from aiohttp import web

from realtime.engine.acceptor import EngineAcceptor
from realtime.engine.http.listening_socket import listen
from realtime.engine.server import SocketEngine
from server.transports.http_protocol import MAX_HEADER_BYTES, MAX_HEADERS, MAX_URL_BYTES, HttpProtocol

BACKLOG = 1024
ACCEPTING_S = 0.02
"""How long the loop takes to make a connection of a socket that it has accepted."""
LINGERING_S = 2.0
"""How long the rest of a refused body is still read: a client that is cut off while it sends sees no answer."""


class OpenPort:
    """The port on which an HttpServer accepts connections; `number` is the real one."""

    def __init__(self, number: int, site: EngineAcceptor, listening: socket) -> None:
        self.number = number
        self._site = site
        self._listening = listening

    async def close(self) -> None:
        """Accepts no connection from now on; those accepted before are known to the server when it returns.

        asyncio loses a connection that it accepted in the very turn in which its server is closed: nothing would close
        that connection.
        """
        asyncio.get_running_loop().remove_reader(self._listening)
        await asyncio.sleep(ACCEPTING_S)
        await self._site.stop()


class HttpServer:
    """Serves the engines, and what `routes` add to the application, in this order."""

    def __init__(
        self,
        engines: Sequence[SocketEngine],
        routes: Sequence[Callable[[web.Application], None]],
        *,
        host: str,
        port: int,
        max_body_bytes: int,
        body_timeout_s: float,
        shutdown_timeout_s: float,
    ) -> None:
        app = web.Application(client_max_size=max_body_bytes)
        for attach in (*(engine.attach for engine in engines), *routes):
            attach(app)
        self._engines = engines
        self._host = host
        self._port = port
        self._runner = web.AppRunner(app, shutdown_timeout=shutdown_timeout_s)
        self._lingering_s = min(LINGERING_S, body_timeout_s)

    async def open(self) -> None:
        """Prepares the application; it accepts nothing yet."""
        await self._runner.setup()

    async def listen(self) -> OpenPort:
        """Accepts connections from now on."""
        listening = listen(self._host, self._port, backlog=BACKLOG)
        site = EngineAcceptor(
            self._runner, listening, self._engines, http_protocol=self._http_protocol(), backlog=BACKLOG
        )
        await site.start()
        return OpenPort(int(self._runner.addresses[0][1]), site, listening)

    async def close(self) -> None:
        """Waits for the answers of running requests, `shutdown_timeout_s` at most, and closes all connections."""
        await self._runner.cleanup()

    def _http_protocol(self) -> Callable[[], HttpProtocol]:
        """Makes aiohttp's side of a connection."""
        server = self._runner.server
        if server is None:
            raise RuntimeError("open() comes before listen()")
        options: dict[str, Any] = {
            "loop": asyncio.get_running_loop(),
            "access_log": None,
            "tcp_keepalive": False,  # inherited from the listening socket
            # The size of a body is limited as it arrives; the size after decompression would need a limit of its own.
            "auto_decompress": False,
            "lingering_time": self._lingering_s,
            "max_line_size": MAX_URL_BYTES,
            "max_field_size": MAX_HEADER_BYTES,
            "max_headers": MAX_HEADERS,
        }
        return partial(HttpProtocol, server, **options)

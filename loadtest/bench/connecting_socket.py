"""The beginning of every client of a benchmark: WebSocket handshake, then CONNECT to namespaces."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import cast

from loadtest.bench.frames import connect, split, upgrade_request


class ClientFailed(Exception):
    """A server refused or closed a client, or sent something unexpected."""


class ConnectingSocket(asyncio.Protocol):
    """Opens a WebSocket and a session in each namespace; sets `ready` when all are open."""

    def __init__(
        self, port: int, namespaces: Sequence[str], auth: Mapping[str, object], ready: asyncio.Future[None]
    ) -> None:
        self._port = port
        self._connects = b"".join(connect(namespace, auth) for namespace in namespaces)
        self._missing = len(namespaces)
        self._ready = ready
        self._unread = b""
        self._upgraded = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(upgrade_request(self._port))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"closed while it connected: {error}")

    def data_received(self, data: bytes) -> None:
        self._unread += data
        if not self._upgraded:
            head, end, rest = self._unread.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 101 " not in head.partition(b"\r\n")[0] + b" ":
                self._fail(head.decode("latin-1"))
                return
            self._upgraded, self._unread = True, rest
        payloads, self._unread = split(self._unread)
        for payload in payloads:
            self._packet(payload)

    def _packet(self, payload: bytes) -> None:
        if payload.startswith(b"0"):
            self.transport.write(self._connects)
        elif payload.startswith(b"40"):
            self._missing -= 1
            if not self._missing and not self._ready.done():
                self._ready.set_result(None)
        else:
            self._fail(f"sent {payload!r} to a client that connects")

    def _fail(self, why: str) -> None:
        if not self._ready.done():
            self._ready.set_exception(ClientFailed(why))

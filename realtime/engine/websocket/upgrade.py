"""Upgrades a request's socket to a WebSocket and detaches it from aiohttp, which keeps nothing of it."""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import re
from enum import Enum

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter
from multidict import MultiMapping

from realtime.engine.websocket.protocol import WebSocketProtocol
from realtime.engine.websocket.socket_group import SocketGroup

VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~\w-]+", re.ASCII)


class UpgradeFlaw(Enum):
    NO_HANDSHAKE = "Not an opening handshake of RFC 6455"
    OTHER_VERSION = f"WebSocket version {VERSION} is spoken here"


class UpgradedResponse(web.StreamResponse):
    """The response of a handler that has answered its request itself: aiohttp writes nothing and keeps nothing.

    One instance serves any number of requests.
    """

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def is_opening_handshake(headers: MultiMapping[str]) -> bool:
    """Whether a GET request with these headers opens a WebSocket as RFC 6455 says."""
    return _asks_for_upgrade(headers) and _has_version(headers) and _has_key(headers)


def upgrade_flaw(request: web.Request) -> UpgradeFlaw | None:
    """What does not conform to RFC 6455 in a request that has to be an opening handshake; None: it is a good one."""
    is_upgrade = (
        request.method == hdrs.METH_GET
        and request.version >= HttpVersion11
        and _asks_for_upgrade(request.headers)
        # Bytes after a body would have been read as the next request.
        and not request.body_exists
    )
    if is_upgrade and not _has_version(request.headers):
        return UpgradeFlaw.OTHER_VERSION
    return None if is_upgrade and _has_key(request.headers) else UpgradeFlaw.NO_HANDSHAKE


def accept_upgrade(request: web.Request, group: SocketGroup) -> WebSocketProtocol | None:
    """Answers 101 and takes the socket from aiohttp; None when the client is gone already.

    The answer is sent when the socket gets its receiver. The handler has to return an `UpgradedResponse` and must
    not await before that: aiohttp may cancel it.
    """
    aiohttp_protocol, transport = request.protocol, request.transport
    if transport is None or transport.is_closing():
        return None
    # aiohttp has stopped reading at the end of the request; it keeps the bytes that were read with it.
    protocol = accept_handshake(request.headers, transport, group, aiohttp_protocol._message_tail)
    aiohttp_protocol.transport = None
    aiohttp_protocol.connection_lost(None)
    if not transport.is_reading():
        transport.resume_reading()
    return protocol


def accept_handshake(
    headers: MultiMapping[str], transport: asyncio.Transport, group: SocketGroup, early: bytes
) -> WebSocketProtocol:
    """Answers 101 on a socket whose client has sent an opening handshake with these headers, and `early` after it.

    The answer is sent when the socket gets its receiver.
    """
    protocol = WebSocketProtocol(transport, group, early)
    transport.set_protocol(protocol)
    protocol.write_frame(_switching_protocols(headers[hdrs.SEC_WEBSOCKET_KEY], _subprotocol(headers)))
    return protocol


def _asks_for_upgrade(headers: MultiMapping[str]) -> bool:
    return (
        bool(headers.get(hdrs.HOST))
        and _tokens(headers, hdrs.UPGRADE) == "websocket"
        and "upgrade" in map(str.strip, _tokens(headers, hdrs.CONNECTION).split(","))
    )


def _tokens(headers: MultiMapping[str], name: str) -> str:
    """The tokens of a header, which may stand in several lines, in lower case: case is not significant."""
    return ",".join(headers.getall(name, ())).lower()


def _has_version(headers: MultiMapping[str]) -> bool:
    return headers.getall(hdrs.SEC_WEBSOCKET_VERSION, ()) == [VERSION]


def _has_key(headers: MultiMapping[str]) -> bool:
    keys = headers.getall(hdrs.SEC_WEBSOCKET_KEY, ())
    try:
        return len(keys) == 1 and len(binascii.a2b_base64(keys[0], strict_mode=True)) == _KEY_BYTES
    except ValueError:
        return False


def _subprotocol(headers: MultiMapping[str]) -> str | None:
    """The first subprotocol that the client offers: browsers close a WebSocket on which none of theirs is taken."""
    offered = ",".join(headers.getall(hdrs.SEC_WEBSOCKET_PROTOCOL, ())).split(",")
    return next(filter(_TOKEN.fullmatch, map(str.strip, offered)), None)


def _switching_protocols(key: str, subprotocol: str | None) -> bytes:
    digest = hashlib.sha1(key.encode() + _GUID, usedforsecurity=False).digest()
    accept = binascii.b2a_base64(digest, newline=False)
    taken = b"" if subprotocol is None else b"Sec-WebSocket-Protocol: " + subprotocol.encode() + b"\r\n"
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + taken + b"\r\n"
    )

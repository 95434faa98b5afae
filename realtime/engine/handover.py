"""Takes an upgraded socket out of aiohttp's hands, with nothing of aiohttp left behind it."""

from __future__ import annotations

import base64
import binascii
import hashlib

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from realtime.engine.socket_group import SocketGroup
from realtime.engine.websocket_protocol import WebSocketProtocol

_VERSION = "13"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY_BYTES = 16


class HandedOver(web.StreamResponse):
    """What a handler returns whose request was answered by us: aiohttp writes nothing and keeps nothing."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


def refuse_upgrade(request: web.Request) -> web.Response | None:
    """The answer to an opening handshake that is not RFC 6455's; None for a good one."""
    is_upgrade = _is_upgrade(request)
    if is_upgrade and request.headers.getall(hdrs.SEC_WEBSOCKET_VERSION, []) != [_VERSION]:
        headers = {hdrs.UPGRADE: "websocket", hdrs.SEC_WEBSOCKET_VERSION: _VERSION}
        return web.Response(status=426, text="WebSocket version 13 is spoken here", headers=headers)
    if not is_upgrade or not _has_key(request):
        return web.Response(status=400, text="Not an opening handshake of RFC 6455")
    return None


def take_over(request: web.Request, group: SocketGroup) -> WebSocketProtocol | None:
    """Answers 101 and makes the socket ours; None when the client is gone already.

    The handler has to return `HandedOver()` without another `await`: aiohttp may cancel it.
    """
    aiohttp_protocol, transport = request.protocol, request.transport
    if transport is None or transport.is_closing():
        return None
    # aiohttp has stopped reading at the end of the request; it keeps what has come since.
    protocol = WebSocketProtocol(transport, group, aiohttp_protocol._message_tail)
    transport.set_protocol(protocol)
    aiohttp_protocol.transport = None
    aiohttp_protocol.connection_lost(None)
    if not transport.is_reading():
        transport.resume_reading()
    protocol.write_frame(_switching_protocols(request))
    return protocol


def _is_upgrade(request: web.Request) -> bool:
    return (
        request.method == hdrs.METH_GET
        and request.version >= HttpVersion11
        and bool(request.headers.get(hdrs.HOST))
        and _tokens(request, hdrs.UPGRADE) == {"websocket"}
        and "upgrade" in _tokens(request, hdrs.CONNECTION)
        # Bytes after a body would have been read as the next request.
        and not request.body_exists
    )


def _tokens(request: web.Request, header: str) -> set[str]:
    return {token.strip().lower() for value in request.headers.getall(header, []) for token in value.split(",")}


def _has_key(request: web.Request) -> bool:
    keys = request.headers.getall(hdrs.SEC_WEBSOCKET_KEY, [])
    try:
        return len(keys) == 1 and len(base64.b64decode(keys[0], validate=True)) == _KEY_BYTES
    except (binascii.Error, ValueError):
        return False


def _switching_protocols(request: web.Request) -> bytes:
    key = request.headers[hdrs.SEC_WEBSOCKET_KEY].encode()
    accept = base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )

"""The HTTP requests of polling clients: GET fetches packets, POST sends them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR, CLOSE_TOO_LARGE
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.connections.connection_table import ConnectionTable
from realtime.engine.http import responses
from realtime.engine.http.responses import BadRequest
from realtime.engine.options import EngineOptions
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import PONG, MalformedPacket, decode_payload
from realtime.engine.session.connection import TRANSPORT_CLOSE


class PollingRequests:
    """Answers the polls and posts of an engine's connections."""

    def __init__(self, connections: ConnectionTable, options: EngineOptions) -> None:
        self._connections = connections
        self._max_body_bytes = options.max_packet_bytes
        self._body_timeout_s = (options.ping_interval_ms + options.ping_timeout_ms) / 1000

    async def poll(self, request: web.Request, entry: ConnectionEntry, polling: PollingTransport) -> web.StreamResponse:
        """Answers with packets, as soon as there are any."""
        if polling.waiting:
            entry.connection.close(CLOSE_PROTOCOL_ERROR)
            return responses.bad_request(BadRequest.BAD_REQUEST)
        entry.poll = request
        try:
            body = await polling.fetch()
        except asyncio.CancelledError:
            entry.connection.abort(TRANSPORT_CLOSE)
            raise
        finally:
            entry.poll = None
        if request.transport is None:
            entry.connection.abort(TRANSPORT_CLOSE)
        if entry.connection.has_ended and polling.drained:
            self._connections.remove(entry)
        return responses.poll_answer(body)

    async def post(self, request: web.Request, entry: ConnectionEntry) -> web.StreamResponse:
        """Hands the packets in the body to the connection's packet handler; answers when it accepts them."""
        connection = entry.connection
        if entry.is_posting:
            connection.close(CLOSE_PROTOCOL_ERROR)
            return responses.bad_request(BadRequest.BAD_REQUEST)
        entry.is_posting = True
        try:
            body = await self._read_body(request)
            if body is None:
                # Not by a close packet: after it the official Python client does not come back.
                connection.abort(CLOSE_TOO_LARGE.reason)
                return responses.too_large()
            packets = decode_payload(body)
            if entry.packet_handler.task is not None:
                # A client cannot pile up work: its next body is accepted after the last one is handled.
                await asyncio.wait((entry.packet_handler.task,))
        except MalformedPacket:
            # The response says it all: no close packet has to be fetched.
            connection.abort(CLOSE_PROTOCOL_ERROR.reason)
            return responses.bad_request(BadRequest.BAD_REQUEST)
        except (ConnectionError, TimeoutError, web.RequestPayloadError):
            connection.abort("transport error")
            return responses.bad_request(BadRequest.BAD_REQUEST)
        finally:
            entry.is_posting = False
        for packet in packets:
            if packet.kind == PONG:
                entry.pong_received()
            else:
                entry.packet_handler.handle(packet.kind, packet.data)
        return responses.poll_answer(b"ok")

    async def _read_body(self, request: web.Request) -> bytes | None:
        """The whole body, in however many chunks it comes; None when it is larger than a packet may be."""
        body = bytearray()
        async with asyncio.timeout(self._body_timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > self._max_body_bytes:
                    return None
        return bytes(body)

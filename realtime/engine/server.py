"""The socket engine as an aiohttp application mounts it: handshakes, polls and upgrades on one path."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import WSMsgType, web

from realtime.engine import answers
from realtime.engine.answers import BadRequest
from realtime.engine.frames import (
    OPEN,
    PONG,
    PROBE_ANSWER,
    PROBE_QUESTION,
    UPGRADE,
    MalformedPacket,
    Outgoing,
    decode_payload,
)
from realtime.engine.hub import Hub
from realtime.engine.links import Link, Links
from realtime.engine.options import EngineOptions
from realtime.engine.peer import origin_allowed, peer_address
from realtime.engine.policy import HandshakeRequest, Refusal, SessionPolicy, TransportName
from realtime.engine.polling import PollingTransport
from realtime.engine.recovery import Recovery
from realtime.engine.websocket import WebSocket, WebSocketTransport, open_websocket, read_websocket, send_unread
from realtime.errors import CLOSE_PROTOCOL_ERROR, CloseReason

__all__ = ["EngineOptions", "SocketEngine"]

_UPGRADE_TIMEOUT_S = 10.0
_CLOSES_PER_TURN = 50
_SPREAD_PART = 0.4
_CANCEL_WAIT_S = 1.0
_DRAINING = Refusal(503, "draining", 1.0)


class SocketEngine:
    """Serves Socket.IO clients over WebSocket and long-polling, on behalf of a policy."""

    def __init__(
        self, *, policy: SessionPolicy, hub: Hub, options: EngineOptions, recovery: Recovery | None = None
    ) -> None:
        self._policy = policy
        self._options = options
        self._links = Links(policy=policy, hub=hub, options=options, recovery=recovery)
        self._closing: CloseReason | None = None

    def attach(self, app: web.Application) -> None:
        """Answers on the options' path from now on."""
        for method in ("GET", "POST", "OPTIONS"):
            app.router.add_route(method, self._options.path, self._serve)

    async def close(self, reason: CloseReason, *, deadline_s: float) -> None:
        """Refuses new connections, closes all others, and returns when nothing of them is left.

        They are closed in batches, spread over a part of the time, so that clients do not all come back at once.
        Answers that are being made leave first. What has not ended after `deadline_s` is cut off and cancelled.
        """
        self._closing = reason
        give_up = asyncio.get_running_loop().time() + deadline_s
        links = self._links.all()
        pause_s = deadline_s * _SPREAD_PART * _CLOSES_PER_TURN / max(1, len(links))
        for number, link in enumerate(links, 1):
            link.connection.close(reason)
            if number % _CLOSES_PER_TURN == 0:
                await asyncio.sleep(pause_s)
        # The closes happen in the next turn of the loop; polls that wait are answered by them.
        await asyncio.sleep(0)
        while (tasks := self._links.tasks()) and (left_s := give_up - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(tasks, timeout=left_s)
        for link in self._links.all():
            link.connection.lost(reason.reason)
        if tasks := self._links.tasks():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_WAIT_S)
        await asyncio.sleep(0)
        for link in self._links.all():
            self._links.forget(link)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not origin_allowed(request, self._options.allowed_origins, self._options.trusted_proxies):
            return answers.bad_request(BadRequest.FORBIDDEN)
        with self._links.working():
            response = await self._route(request)
        if not response.prepared:
            answers.share_with_page(response, request.headers.get("Origin"))
        return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return answers.preflight()
        query = request.query
        if query.get("EIO") != "4":
            return answers.bad_request(BadRequest.UNSUPPORTED_VERSION)
        transport = query.get("transport")
        if transport not in ("websocket", "polling"):
            return answers.bad_request(BadRequest.UNKNOWN_TRANSPORT)
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrade is not (transport == "websocket"):
            return answers.bad_request(BadRequest.BAD_REQUEST)
        sid = query.get("sid")
        if sid is None:
            if request.method != "GET":
                return answers.bad_request(BadRequest.BAD_HANDSHAKE_METHOD)
            return await self._handshake(request, "websocket" if upgrade else "polling")
        link = self._links.find(sid)
        if link is None:
            return answers.bad_request(BadRequest.UNKNOWN_SID)
        # Whatever comes beside a WebSocket is a mistake that must not disturb it.
        if link.polling is None or link.connection.transport != "polling":
            return answers.bad_request(BadRequest.BAD_REQUEST)
        if link.poll is not None and link.poll.transport is None:
            # The client gave up a poll: what it was to carry may be lost, so that its session cannot go on.
            link.connection.lost("transport close")
            return answers.bad_request(BadRequest.BAD_REQUEST)
        if upgrade:
            return await self._upgrade(request, link)
        if request.method == "GET":
            return await self._poll(request, link, link.polling)
        return await self._post(request, link)

    async def _handshake(self, request: web.Request, transport: TransportName) -> web.StreamResponse:
        peer = peer_address(request, self._options.trusted_proxies)
        user_agent = request.headers.get("User-Agent")
        refusal: Refusal | None = None
        if not self._closing:
            refusal = await self._policy.admit(
                HandshakeRequest(peer, transport, user_agent, request.headers.get("Origin"))
            )
        if self._closing:
            refusal = _DRAINING
        if refusal is not None:
            return answers.refused(refusal)
        if transport == "websocket":
            return await self._open_websocket(request, peer, user_agent)
        polling = PollingTransport(max_unread_bytes=self._options.max_unread_bytes)
        link = self._links.open(peer_address=peer, user_agent=user_agent, transport=polling, polling=polling)
        return answers.poll_answer(self._open_packet(link, upgrades=["websocket"]))

    async def _open_websocket(self, request: web.Request, peer: str, user_agent: str | None) -> web.StreamResponse:
        websocket = open_websocket(max_packet_bytes=self._options.max_packet_bytes)
        await websocket.prepare(request)
        if request.transport is None:
            return websocket
        transport = WebSocketTransport(request.transport, max_unread_bytes=self._options.max_unread_bytes)
        link = self._links.open(peer_address=peer, user_agent=user_agent, transport=transport, polling=None)
        link.connection.write(Outgoing(self._open_packet(link, upgrades=[])))
        if self._closing:
            link.connection.close(self._closing)
        await self._read(websocket, transport, link)
        return websocket

    async def _upgrade(self, request: web.Request, link: Link) -> web.StreamResponse:
        polling, connection = link.polling, link.connection
        if polling is None or link.upgrading or connection.closing:
            return answers.bad_request(BadRequest.BAD_REQUEST)
        link.upgrading = True
        try:
            websocket = open_websocket(max_packet_bytes=self._options.max_packet_bytes)
            await websocket.prepare(request)
            if request.transport is None:
                return websocket
            transport = WebSocketTransport(request.transport, max_unread_bytes=self._options.max_unread_bytes)
            try:
                upgraded = await _probe(websocket, transport, polling)
            except TimeoutError:
                upgraded = False
            if not upgraded or connection.closing:
                transport.finish()
                return websocket
            send_unread(transport, polling.end_by_upgrade())
            connection.use_transport(transport)
        finally:
            link.upgrading = False
            polling.cancel_upgrade()
        await self._read(websocket, transport, link)
        return websocket

    async def _read(self, websocket: WebSocket, transport: WebSocketTransport, link: Link) -> None:
        try:
            await read_websocket(websocket, link.connection, link.inbound, on_pong=link.heartbeat.start)
        finally:
            transport.finish()
            link.connection.left()

    async def _poll(self, request: web.Request, link: Link, polling: PollingTransport) -> web.StreamResponse:
        if polling.waiting:
            link.connection.close(CLOSE_PROTOCOL_ERROR)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        link.poll = request
        try:
            body = await polling.fetch()
        except asyncio.CancelledError:
            link.connection.lost("transport close")
            raise
        finally:
            link.poll = None
        if request.transport is None:
            link.connection.lost("transport close")
        if link.ended and polling.drained:
            self._links.forget(link)
        return answers.poll_answer(body)

    async def _post(self, request: web.Request, link: Link) -> web.StreamResponse:
        connection = link.connection
        if link.posting:
            connection.close(CLOSE_PROTOCOL_ERROR)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        link.posting = True
        try:
            body = await self._body(request)
            if body is None:
                connection.close(CLOSE_PROTOCOL_ERROR)
                return answers.too_large()
            packets = decode_payload(body)
            if link.batch is not None:
                # A client cannot heap up work: its next body is accepted once the last one is done.
                await asyncio.wait((link.batch,))
        except MalformedPacket:
            connection.close(CLOSE_PROTOCOL_ERROR)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        except (ConnectionError, TimeoutError, web.RequestPayloadError):
            connection.lost("transport error")
            return answers.bad_request(BadRequest.BAD_REQUEST)
        finally:
            link.posting = False
        if any(packet.kind == PONG for packet in packets):
            link.heartbeat.start()
            packets = [packet for packet in packets if packet.kind != PONG]
        link.batch = self._links.spawn(link.inbound.take_all(packets)) if packets else None
        return answers.poll_answer(b"ok")

    async def _body(self, request: web.Request) -> bytes | None:
        """The whole body, however it is split; None when it is larger than a packet may be."""
        limit_bytes = self._options.max_packet_bytes
        body = bytearray()
        async with asyncio.timeout((self._options.ping_interval_ms + self._options.ping_timeout_ms) / 1000):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit_bytes:
                    return None
        return bytes(body)

    def _open_packet(self, link: Link, *, upgrades: list[str]) -> bytes:
        return OPEN + orjson.dumps(
            {
                "sid": link.connection.id,
                "upgrades": upgrades,
                "pingInterval": self._options.ping_interval_ms,
                "pingTimeout": self._options.ping_timeout_ms,
                "maxPayload": self._options.max_packet_bytes,
            }
        )


async def _probe(websocket: WebSocket, transport: WebSocketTransport, polling: PollingTransport) -> bool:
    """Waits until a polling client has tried its WebSocket and moves to it. Raises TimeoutError when it does not."""
    for expected in (PROBE_QUESTION, UPGRADE):
        message = await websocket.receive(timeout=_UPGRADE_TIMEOUT_S)
        if message.type is not WSMsgType.TEXT or message.data != expected:
            return False
        if expected == PROBE_QUESTION:
            transport.write(Outgoing(PROBE_ANSWER))
            polling.begin_upgrade()
    return True

"""The socket engine as an aiohttp application mounts it: handshakes, polls and upgrades on one path."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from realtime.engine import answers
from realtime.engine.answers import BadRequest
from realtime.engine.frames import (
    OPEN,
    PONG,
    MalformedPacket,
    Outgoing,
    decode_payload,
)
from realtime.engine.handover import HandedOver, refuse_upgrade, take_over
from realtime.engine.hub import Hub
from realtime.engine.inbound import Inbound
from realtime.engine.link import Link
from realtime.engine.links import Links
from realtime.engine.options import EngineOptions
from realtime.engine.peer import origin_allowed, peer_address
from realtime.engine.policy import HandshakeRequest, Refusal, SessionPolicy, TransportName
from realtime.engine.polling import PollingTransport
from realtime.engine.probe import Probe, TurnedAway
from realtime.engine.recovery import Recovery
from realtime.engine.socket_group import SocketGroup
from realtime.errors import CLOSE_PROTOCOL_ERROR, CloseReason

__all__ = ["EngineOptions", "SocketEngine"]

_CLOSES_PER_TURN = 50
_SPREAD_PART = 0.4
_CANCEL_WAIT_S = 1.0
_DRAINING = Refusal(503, "draining", 1.0)


class SocketEngine:
    """Serves Socket.IO clients over WebSocket and long-polling, on behalf of a policy.

    `inbound` handles what they say; official test suites want an echo in its place.
    """

    def __init__(
        self,
        *,
        policy: SessionPolicy,
        hub: Hub,
        options: EngineOptions,
        recovery: Recovery | None = None,
        inbound: type[Inbound] = Inbound,
    ) -> None:
        self._policy = policy
        self._options = options
        self._links = Links(policy=policy, hub=hub, options=options, recovery=recovery, inbound=inbound)
        self._sockets = SocketGroup(
            max_message_bytes=options.max_packet_bytes,
            max_unread_bytes=options.max_unread_bytes,
            max_frames_per_s=options.max_frames_per_s,
        )
        self._handed_over = HandedOver()
        self._closing: CloseReason | None = None

    def attach(self, app: web.Application) -> None:
        """Answers on the options' path from now on."""
        app.router.add_route("*", self._options.path, self._serve)

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
        # The closes happen in the next turns of the loop; polls that wait are answered by them.
        await self._links.settled()
        while (tasks := self._links.tasks()) and (left_s := give_up - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(tasks, timeout=left_s)
        await self._links.settled()
        await self._sockets.wait_closed(give_up - asyncio.get_running_loop().time())
        for link in self._links.all():
            link.connection.lost(reason.reason)
        self._sockets.abort_all()
        if tasks := self._links.tasks():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_WAIT_S)
        await self._links.settled()
        await self._sockets.wait_closed(_CANCEL_WAIT_S)
        for link in self._links.all():
            self._links.forget(link)
        self._links.stop()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not origin_allowed(request, self._options.allowed_origins, self._options.trusted_proxies):
            return answers.bad_request(BadRequest.FORBIDDEN)
        task = asyncio.current_task(self._sockets.loop)
        assert task is not None
        self._links.answering(task)
        try:
            response = await self._route(request)
        finally:
            self._links.answered(task)
        if response is not self._handed_over:
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
        if request.method != "GET" and (sid is None or request.method != "POST"):
            return answers.bad_request(BadRequest.BAD_HANDSHAKE_METHOD)
        if sid is None:
            return await self._handshake(request, "websocket" if upgrade else "polling")
        link = self._links.find(sid)
        if link is None:
            return answers.bad_request(BadRequest.UNKNOWN_SID)
        # Whatever comes beside a WebSocket is a mistake that must not disturb it.
        if upgrade and not link.ended and (link.probe is not None or link.connection.transport == "websocket"):
            return self._turn_away(request)
        if link.polling is None or link.connection.transport != "polling" or link.polling.drained:
            return answers.bad_request(BadRequest.BAD_REQUEST)
        if link.poll is not None and link.poll.transport is None:
            # The client gave up a poll: what it was to carry may be lost, so that its session cannot go on.
            link.connection.lost("transport close")
            return answers.bad_request(BadRequest.BAD_REQUEST)
        if upgrade:
            return self._upgrade(request, link, link.polling)
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
            bad = refuse_upgrade(request)
            return bad if bad is not None else self._open_websocket(request, peer, user_agent)
        polling = PollingTransport(max_unread_bytes=self._options.max_unread_bytes)
        link = self._links.open(peer_address=peer, user_agent=user_agent, transport=polling, polling=polling)
        return answers.poll_answer(self._open_packet(link, upgrades=["websocket"]))

    def _open_websocket(self, request: web.Request, peer: str, user_agent: str | None) -> web.StreamResponse:
        socket = take_over(request, self._sockets)
        if socket is not None:
            link = self._links.open(peer_address=peer, user_agent=user_agent, transport=socket, polling=None)
            link.connection.write(Outgoing(self._open_packet(link, upgrades=[])))
            socket.listen(link)
        return self._handed_over

    def _upgrade(self, request: web.Request, link: Link, polling: PollingTransport) -> web.StreamResponse:
        if link.connection.closing:
            return answers.bad_request(BadRequest.BAD_REQUEST)
        refusal = refuse_upgrade(request)
        if refusal is not None:
            return refusal
        socket = take_over(request, self._sockets)
        if socket is not None:
            socket.listen(Probe(link, polling, socket))
        return self._handed_over

    def _turn_away(self, request: web.Request) -> web.StreamResponse:
        refusal = refuse_upgrade(request)
        if refusal is not None:
            return refusal
        socket = take_over(request, self._sockets)
        if socket is not None:
            TurnedAway(socket)
        return self._handed_over

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
            if link.inbound.task is not None:
                # A client cannot heap up work: its next body is accepted once the last one is done.
                await asyncio.wait((link.inbound.task,))
        except MalformedPacket:
            # The answer tells it all: there is no close packet to be fetched.
            connection.lost(CLOSE_PROTOCOL_ERROR.reason)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        except (ConnectionError, TimeoutError, web.RequestPayloadError):
            connection.lost("transport error")
            return answers.bad_request(BadRequest.BAD_REQUEST)
        finally:
            link.posting = False
        for packet in packets:
            if packet.kind == PONG:
                link.pong()
            else:
                link.inbound.take(packet.kind, packet.data)
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

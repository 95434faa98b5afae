"""The socket engine as an aiohttp application mounts it: handshakes, polls and upgrades on one path."""

from __future__ import annotations

import asyncio

import orjson
from aiohttp import web

from realtime.contract.errors import CLOSE_PROTOCOL_ERROR, CloseReason
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.connections.connection_table import ConnectionTable
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.connections.upgrade_probe import RejectedUpgrade, UpgradeProbe
from realtime.engine.drain_state import DrainState
from realtime.engine.http import responses as answers
from realtime.engine.http.peer import origin_allowed, peer_address
from realtime.engine.http.responses import BadRequest
from realtime.engine.hub import Hub
from realtime.engine.options import EngineOptions
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import (
    OPEN,
    PONG,
    MalformedPacket,
    Outgoing,
    decode_payload,
)
from realtime.engine.recovery.recovery import Recovery
from realtime.engine.session.policy import HandshakeRefusal, HandshakeRequest, SessionPolicy
from realtime.engine.session.transport import TransportName
from realtime.engine.websocket.socket_group import SocketGroup
from realtime.engine.websocket.upgrade import UpgradedResponse, refuse_upgrade, take_over

__all__ = ["EngineOptions", "SocketEngine"]

_CLOSES_PER_TURN = 50
_SPREAD_PART = 0.4
_CANCEL_WAIT_S = 1.0
_DRAINING = HandshakeRefusal(503, "draining", 1.0)


class SocketEngine:
    """Serves Socket.IO clients over WebSocket and long-polling, on behalf of a policy.

    `packet_handler` handles what they say; official test suites want an echo in its place.
    """

    def __init__(
        self,
        *,
        policy: SessionPolicy,
        hub: Hub,
        options: EngineOptions,
        drain_state: DrainState,
        recovery: Recovery | None = None,
        packet_handler: type[PacketHandler] = PacketHandler,
    ) -> None:
        self._policy = policy
        self._options = options
        self._connections = ConnectionTable(
            policy=policy, hub=hub, options=options, recovery=recovery, packet_handler=packet_handler
        )
        self._sockets = SocketGroup(
            max_message_bytes=options.max_packet_bytes,
            max_unread_bytes=options.max_unread_bytes,
            max_frames_per_s=options.max_frames_per_s,
        )
        self._upgraded = UpgradedResponse()
        self._drain_state = drain_state

    def attach(self, app: web.Application) -> None:
        """Answers on the options' path from now on."""
        app.router.add_route("*", self._options.path, self._serve)

    async def close(self, reason: CloseReason, *, deadline_s: float) -> None:
        """Refuses new connections, closes all others, and returns when nothing of them is left.

        They are closed in batches, spread over a part of the time, so that clients do not all come back at once.
        Answers that are being made leave first. What has not ended after `deadline_s` is cut off and cancelled.
        """
        self._drain_state.begin()
        give_up = asyncio.get_running_loop().time() + deadline_s
        table = self._connections.all()
        pause_s = deadline_s * _SPREAD_PART * _CLOSES_PER_TURN / max(1, len(table))
        for number, entry in enumerate(table, 1):
            entry.connection.close(reason)
            if number % _CLOSES_PER_TURN == 0:
                await asyncio.sleep(pause_s)
        # The closes happen in the next turns of the loop; polls that wait are answered by them.
        await self._connections.settled()
        while (tasks := self._connections.tasks()) and (left_s := give_up - asyncio.get_running_loop().time()) > 0:
            await asyncio.wait(tasks, timeout=left_s)
        await self._connections.settled()
        await self._sockets.wait_closed(give_up - asyncio.get_running_loop().time())
        for entry in self._connections.all():
            entry.connection.lost(reason.reason)
        self._sockets.abort_all()
        if tasks := self._connections.tasks():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_WAIT_S)
        await self._connections.settled()
        await self._sockets.wait_closed(_CANCEL_WAIT_S)
        for entry in self._connections.all():
            self._connections.forget(entry)
        self._connections.stop()

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        if not origin_allowed(request, self._options.allowed_origins, self._options.trusted_proxies):
            return answers.bad_request(BadRequest.FORBIDDEN)
        task = asyncio.current_task(self._sockets.loop)
        assert task is not None
        self._connections.answering(task)
        try:
            response = await self._route(request)
        finally:
            self._connections.answered(task)
        if response is not self._upgraded:
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
        entry = self._connections.find(sid)
        if entry is None:
            return answers.bad_request(BadRequest.UNKNOWN_SID)
        # Whatever comes beside a WebSocket is a mistake that must not disturb it.
        if upgrade and not entry.ended and (entry.probe is not None or entry.connection.transport == "websocket"):
            return self._turn_away(request)
        if entry.polling is None or entry.connection.transport != "polling" or entry.polling.drained:
            return answers.bad_request(BadRequest.BAD_REQUEST)
        if entry.poll is not None and entry.poll.transport is None:
            # The client gave up a poll: what it was to carry may be lost, so that its session cannot go on.
            entry.connection.lost("transport close")
            return answers.bad_request(BadRequest.BAD_REQUEST)
        if upgrade:
            return self._upgrade(request, entry, entry.polling)
        if request.method == "GET":
            return await self._poll(request, entry, entry.polling)
        return await self._post(request, entry)

    async def _handshake(self, request: web.Request, transport: TransportName) -> web.StreamResponse:
        peer = peer_address(request, self._options.trusted_proxies)
        user_agent = request.headers.get("User-Agent")
        refusal: HandshakeRefusal | None = None
        if not self._drain_state.is_draining:
            refusal = await self._policy.admit(
                HandshakeRequest(peer, transport, user_agent, request.headers.get("Origin"))
            )
        if self._drain_state.is_draining:
            refusal = _DRAINING
        if refusal is not None:
            return answers.refused(refusal)
        if transport == "websocket":
            bad = refuse_upgrade(request)
            return bad if bad is not None else self._open_websocket(request, peer, user_agent)
        polling = PollingTransport(max_unread_bytes=self._options.max_unread_bytes)
        entry = self._connections.open(peer_address=peer, user_agent=user_agent, transport=polling, polling=polling)
        return answers.poll_answer(self._open_packet(entry, upgrades=["websocket"]))

    def _open_websocket(self, request: web.Request, peer: str, user_agent: str | None) -> web.StreamResponse:
        socket = take_over(request, self._sockets)
        if socket is not None:
            entry = self._connections.open(peer_address=peer, user_agent=user_agent, transport=socket, polling=None)
            entry.connection.write(Outgoing(self._open_packet(entry, upgrades=[])))
            socket.listen(entry)
        return self._upgraded

    def _upgrade(self, request: web.Request, entry: ConnectionEntry, polling: PollingTransport) -> web.StreamResponse:
        if entry.connection.closing:
            return answers.bad_request(BadRequest.BAD_REQUEST)
        refusal = refuse_upgrade(request)
        if refusal is not None:
            return refusal
        socket = take_over(request, self._sockets)
        if socket is not None:
            socket.listen(UpgradeProbe(entry, polling, socket))
        return self._upgraded

    def _turn_away(self, request: web.Request) -> web.StreamResponse:
        refusal = refuse_upgrade(request)
        if refusal is not None:
            return refusal
        socket = take_over(request, self._sockets)
        if socket is not None:
            RejectedUpgrade(socket)
        return self._upgraded

    async def _poll(
        self, request: web.Request, entry: ConnectionEntry, polling: PollingTransport
    ) -> web.StreamResponse:
        if polling.waiting:
            entry.connection.close(CLOSE_PROTOCOL_ERROR)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        entry.poll = request
        try:
            body = await polling.fetch()
        except asyncio.CancelledError:
            entry.connection.lost("transport close")
            raise
        finally:
            entry.poll = None
        if request.transport is None:
            entry.connection.lost("transport close")
        if entry.ended and polling.drained:
            self._connections.forget(entry)
        return answers.poll_answer(body)

    async def _post(self, request: web.Request, entry: ConnectionEntry) -> web.StreamResponse:
        connection = entry.connection
        if entry.posting:
            connection.close(CLOSE_PROTOCOL_ERROR)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        entry.posting = True
        try:
            body = await self._body(request)
            if body is None:
                connection.close(CLOSE_PROTOCOL_ERROR)
                return answers.too_large()
            packets = decode_payload(body)
            if entry.packet_handler.task is not None:
                # A client cannot heap up work: its next body is accepted once the last one is done.
                await asyncio.wait((entry.packet_handler.task,))
        except MalformedPacket:
            # The answer tells it all: there is no close packet to be fetched.
            connection.lost(CLOSE_PROTOCOL_ERROR.reason)
            return answers.bad_request(BadRequest.BAD_REQUEST)
        except (ConnectionError, TimeoutError, web.RequestPayloadError):
            connection.lost("transport error")
            return answers.bad_request(BadRequest.BAD_REQUEST)
        finally:
            entry.posting = False
        for packet in packets:
            if packet.kind == PONG:
                entry.pong()
            else:
                entry.packet_handler.take(packet.kind, packet.data)
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

    def _open_packet(self, entry: ConnectionEntry, *, upgrades: list[str]) -> bytes:
        return OPEN + orjson.dumps(
            {
                "sid": entry.connection.id,
                "upgrades": upgrades,
                "pingInterval": self._options.ping_interval_ms,
                "pingTimeout": self._options.ping_timeout_ms,
                "maxPayload": self._options.max_packet_bytes,
            }
        )

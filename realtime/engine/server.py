"""The socket engine, to be mounted in an aiohttp application: handshakes, polls and upgrades on one path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

import orjson
from aiohttp import hdrs, web

from realtime.contract.errors import CloseReason
from realtime.engine.connections.connection_entry import ConnectionEntry
from realtime.engine.connections.connection_table import ConnectionTable
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.connections.polling_requests import PollingRequests
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.connections.upgrade_probe import RejectedUpgrade, UpgradeProbe
from realtime.engine.drain_state import DrainState
from realtime.engine.http import responses
from realtime.engine.http.request_head import RequestHead
from realtime.engine.http.responses import BadRequest
from realtime.engine.http.sharing import preflight, share_with_page
from realtime.engine.options import EngineOptions
from realtime.engine.polling import PollingTransport
from realtime.engine.protocol.frames import OPEN, Outgoing
from realtime.engine.session.connection import TRANSPORT_CLOSE
from realtime.engine.session.policy import HandshakeRefusal, HandshakeRequest
from realtime.engine.session.transport import TransportName
from realtime.engine.websocket.protocol import WebSocketProtocol
from realtime.engine.websocket.socket_group import SocketGroup
from realtime.engine.websocket.upgrade import (
    UpgradedResponse,
    accept_handshake,
    accept_upgrade,
    is_opening_handshake,
    upgrade_flaw,
)

__all__ = ["EngineOptions", "SocketEngine"]

_CLOSES_PER_TURN = 50
_SPREAD_PART = 0.4
_CANCEL_WAIT_S = 1.0
_DRAINING = HandshakeRefusal(503, "draining", 1.0)


class SocketEngine:
    """Serves Socket.IO clients over WebSocket and long-polling, on behalf of the session manager's policy.

    `packet_handler` handles their packets; official test suites want an echo in its place.
    """

    def __init__(
        self,
        *,
        sessions: SessionManager,
        options: EngineOptions,
        drain_state: DrainState,
        packet_handler: type[PacketHandler] = PacketHandler,
    ) -> None:
        self._policy = sessions.policy
        self._options = options
        self._connections = ConnectionTable(sessions=sessions, options=options, packet_handler=packet_handler)
        self._polling_requests = PollingRequests(self._connections, options)
        self._sockets = SocketGroup(
            max_message_bytes=options.max_packet_bytes,
            max_unread_bytes=options.max_unread_bytes,
            max_frames_per_s=options.max_frames_per_s,
        )
        self._upgraded = UpgradedResponse()
        self._drain_state = drain_state

    def attach(self, app: web.Application) -> None:
        """Serves the paths from now on."""
        for path in self.paths:
            app.router.add_route("*", path, self._serve)

    async def close(self, reason: CloseReason, *, deadline_s: float) -> None:
        """Refuses new connections, closes all others, and returns when they have ended.

        They are closed in batches, spread over a part of the time, so that clients do not all reconnect at once.
        Answers that are being made are sent first. After `deadline_s`, connections are aborted and tasks cancelled.
        """
        self._drain_state.begin()
        deadline = asyncio.get_running_loop().time() + deadline_s
        entries = self._connections.all()
        pause_s = deadline_s * _SPREAD_PART * _CLOSES_PER_TURN / max(1, len(entries))
        for number, entry in enumerate(entries, 1):
            entry.connection.close(reason)
            if number % _CLOSES_PER_TURN == 0:
                await asyncio.sleep(pause_s)
        # The closes happen in the next turns of the loop; they answer the polls that wait.
        await self._connections.wait_ended()
        while (tasks := self._connections.tasks()) and (
            remaining_s := deadline - asyncio.get_running_loop().time()
        ) > 0:
            await asyncio.wait(tasks, timeout=remaining_s)
        await self._connections.wait_ended()
        await self._sockets.wait_closed(deadline - asyncio.get_running_loop().time())
        for entry in self._connections.all():
            entry.connection.abort(reason.reason)
        self._sockets.abort_all()
        if tasks := self._connections.tasks():
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=_CANCEL_WAIT_S)
        await self._connections.wait_ended()
        await self._sockets.wait_closed(_CANCEL_WAIT_S)
        for entry in self._connections.all():
            self._connections.remove(entry)
        self._connections.stop()

    @property
    def paths(self) -> Sequence[str]:
        """The options' path, and the same without its last slash."""
        path = self._options.path
        return path, path.rstrip("/")

    def begins_connection(self, head: RequestHead) -> bool:
        """Whether a request for the engine's path opens a new connection on a WebSocket, and nothing speaks against it.

        The policy has not been asked yet.
        """
        query = head.query
        return (
            not self._drain_state.is_draining
            and query.get("EIO") == "4"
            and query.get("transport") == "websocket"
            and "sid" not in query
            and is_opening_handshake(head.headers)
            and self._options.origins.allows(head)
        )

    def open_connection(
        self, head: RequestHead, transport: asyncio.Transport, early: bytes, *, on_refused: Callable[[], None]
    ) -> None:
        """Opens a connection for a request that begins one; `early` are the bytes that its client sent after it.

        `on_refused` is called where the policy does not admit it: the request is still to be answered.
        """
        task = self._connections.start_request(self._open_if_admitted(head, transport, early, on_refused))
        if task is not None:
            transport.pause_reading()
            task.add_done_callback(partial(_abort_if_cancelled, transport))

    async def _open_if_admitted(
        self, head: RequestHead, transport: asyncio.Transport, early: bytes, on_refused: Callable[[], None]
    ) -> None:
        peer = self._options.proxies.client_address(head)
        user_agent = head.headers.get(hdrs.USER_AGENT)
        refusal: HandshakeRefusal | None = _DRAINING
        try:
            refusal = await self._policy.admit(
                HandshakeRequest(peer, "websocket", user_agent, head.headers.get(hdrs.ORIGIN))
            )
        except Exception:
            # Asked again for the same request, the policy fails again: aiohttp logs that and answers 500.
            pass
        if transport.is_closing():
            return
        if not transport.is_reading():
            transport.resume_reading()
        if refusal is not None or self._drain_state.is_draining:
            on_refused()
        else:
            self._open_on_socket(accept_handshake(head.headers, transport, self._sockets, early), peer, user_agent)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        origins = self._options.origins
        if not origins.allows(request):
            origins.log_refusal(request)
            return responses.bad_request(BadRequest.FORBIDDEN)
        task = asyncio.current_task(self._sockets.loop)
        assert task is not None
        self._connections.add_request(task)
        try:
            response = await self._route(request)
        finally:
            self._connections.remove_request(task)
        if response is not self._upgraded:
            share_with_page(response, request.headers.get("Origin"), origins)
        return response

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return preflight(request, methods=("GET", "POST"), headers=("Content-Type", "Authorization"))
        query = request.query
        if query.get("EIO") != "4":
            return responses.bad_request(BadRequest.UNSUPPORTED_VERSION)
        transport = query.get("transport")
        if transport not in ("websocket", "polling"):
            return responses.bad_request(BadRequest.UNKNOWN_TRANSPORT)
        upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
        if upgrade is not (transport == "websocket"):
            return responses.bad_request(BadRequest.BAD_REQUEST)
        sid = query.get("sid")
        if request.method != "GET" and (sid is None or request.method != "POST"):
            return responses.bad_request(BadRequest.BAD_HANDSHAKE_METHOD)
        if sid is None:
            return await self._handshake(request, "websocket" if upgrade else "polling")
        entry = self._connections.find(sid)
        if entry is None:
            return responses.bad_request(BadRequest.UNKNOWN_SID)
        # A second WebSocket of a client is a mistake, which must not disturb the first.
        connection = entry.connection
        if upgrade and not connection.has_ended and (entry.upgrade is not None or connection.transport == "websocket"):
            return self._reject_upgrade(request)
        if entry.polling is None or connection.transport != "polling" or entry.polling.drained:
            return responses.bad_request(BadRequest.BAD_REQUEST)
        if entry.poll is not None and entry.poll.transport is None:
            # The client has cancelled a poll: packets in its answer may be lost, so that the connection cannot go on.
            connection.abort(TRANSPORT_CLOSE)
            return responses.bad_request(BadRequest.BAD_REQUEST)
        if upgrade:
            return self._upgrade(request, entry, entry.polling)
        if request.method == "GET":
            return await self._polling_requests.poll(request, entry, entry.polling)
        return await self._polling_requests.post(request, entry)

    async def _handshake(self, request: web.Request, transport: TransportName) -> web.StreamResponse:
        peer = self._options.proxies.client_address(request)
        user_agent = request.headers.get("User-Agent")
        refusal: HandshakeRefusal | None = None
        if not self._drain_state.is_draining:
            refusal = await self._policy.admit(
                HandshakeRequest(peer, transport, user_agent, request.headers.get("Origin"))
            )
        if self._drain_state.is_draining:
            refusal = _DRAINING
        if refusal is not None:
            return responses.refused(refusal)
        if transport == "websocket":
            flaw = upgrade_flaw(request)
            if flaw is not None:
                return responses.bad_upgrade(flaw)
            return self._open_websocket(request, peer, user_agent)
        polling = PollingTransport(max_unread_bytes=self._options.max_unread_bytes)
        entry = self._connections.open(peer_address=peer, user_agent=user_agent, transport=polling, polling=polling)
        return responses.poll_answer(self._open_packet(entry, upgrades=["websocket"]))

    def _open_websocket(self, request: web.Request, peer: str, user_agent: str | None) -> web.StreamResponse:
        socket = accept_upgrade(request, self._sockets)
        if socket is not None:
            self._open_on_socket(socket, peer, user_agent)
        return self._upgraded

    def _open_on_socket(self, socket: WebSocketProtocol, peer: str, user_agent: str | None) -> None:
        entry = self._connections.open(peer_address=peer, user_agent=user_agent, transport=socket, polling=None)
        entry.connection.write(Outgoing(self._open_packet(entry, upgrades=[])))
        socket.set_receiver(entry)

    def _upgrade(self, request: web.Request, entry: ConnectionEntry, polling: PollingTransport) -> web.StreamResponse:
        if not entry.connection.is_readable:
            return responses.bad_request(BadRequest.BAD_REQUEST)
        flaw = upgrade_flaw(request)
        if flaw is not None:
            return responses.bad_upgrade(flaw)
        socket = accept_upgrade(request, self._sockets)
        if socket is not None:
            socket.set_receiver(UpgradeProbe(entry, polling, socket))
        return self._upgraded

    def _reject_upgrade(self, request: web.Request) -> web.StreamResponse:
        flaw = upgrade_flaw(request)
        if flaw is not None:
            return responses.bad_upgrade(flaw)
        socket = accept_upgrade(request, self._sockets)
        if socket is not None:
            RejectedUpgrade(socket)
        return self._upgraded

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


def _abort_if_cancelled(transport: asyncio.Transport, task: asyncio.Task[None]) -> None:
    if task.cancelled():
        transport.abort()

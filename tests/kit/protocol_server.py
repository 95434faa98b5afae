"""Serves the product's engine in the way that the official protocol test suites expect; see `--help`."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, get_args

import orjson
import uvloop
from aiohttp import web

from realtime.contract.errors import CLOSE_DRAINING, CloseReason
from realtime.engine.acceptor import EngineAcceptor
from realtime.engine.connections.packet_handler import PacketHandler
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.drain_state import DrainState
from realtime.engine.http import responses
from realtime.engine.http.listening_socket import listen
from realtime.engine.hub import Hub
from realtime.engine.protocol.frames import Outgoing, binary_message, websocket_frame
from realtime.engine.protocol.packets import Packet
from realtime.engine.server import EngineOptions, SocketEngine
from realtime.engine.session.policy import HandshakeRefusal, HandshakeRequest
from realtime.engine.session.session import Session
from realtime.engine.websocket.frame_parser import BINARY, TEXT
from realtime.engine.websocket.protocol import WebSocketProtocol
from realtime.engine.websocket.socket_group import SocketGroup
from realtime.engine.websocket.upgrade import UpgradedResponse, accept_upgrade, upgrade_flaw

Layer = Literal["engineio", "socketio", "websocket"]

_LARGEST_ECHO_BYTES = 64 * 1024 * 1024
_AUTH_DELAY_S = 0.1  # a busy client may need this long to listen again; three times as long meets the first ping
_FRAMES_PER_S = 10_000_000  # suites measure speed with very small frames


class EngineEcho(PacketHandler):
    """Echoes every Engine.IO message."""

    __slots__ = ()

    def _handle_text(self, text: bytes) -> None:
        self._connection.write(Outgoing(b"4" + text))

    def _handle_binary(self, data: bytes) -> None:
        self._connection.write(binary_message(data))


class SocketEcho(PacketHandler):
    """Echoes the arguments of `message` and `message-with-ack`, any number and kind of them."""

    __slots__ = ()

    async def _event(self, session: Session, packet: Packet) -> None:
        if packet.name == "message":
            self._send(session, b"2", b"5", b"", ["message-back", *packet.args])
        elif packet.name == "message-with-ack" and packet.ack_id is not None:
            self._send(session, b"3", b"6", packet.ack_id, packet.args)

    def _send(self, session: Session, text: bytes, binary: bytes, ack_id: bytes, values: Sequence[object]) -> None:
        parts: list[bytes] = []
        body = orjson.dumps(_take_out(list(values), parts))
        kind = binary + b"%d-" % len(parts) if parts else text
        address = b"" if session.namespace == "/" else session.namespace.encode() + b","
        session.connection.write(Outgoing(b"4" + kind + address + ack_id + body))
        for part in parts:
            session.connection.write(binary_message(part))


def _take_out(value: object, parts: list[bytes]) -> object:
    """The value with a placeholder for each binary in it; appends the binaries to `parts`."""
    if isinstance(value, bytes):
        parts.append(value)
        return {"_placeholder": True, "num": len(parts) - 1}
    if isinstance(value, list):
        return [_take_out(item, parts) for item in value]
    if isinstance(value, dict):
        return {key: _take_out(item, parts) for key, item in value.items()}
    return value


class AuthEcho:
    """Accepts every CONNECT and sends the client the `auth` that it came with."""

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        return None

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        # The suites' client listens for the next message only after it has received one: if both came in one read, it
        # would miss the second.
        asyncio.get_running_loop().call_later(_AUTH_DELAY_S, session.push_volatile, "auth", orjson.dumps(auth))

    async def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        raise AssertionError("events do not come as far as this")

    def disconnected(self, session: Session, reason: str) -> None:
        """There is no state to release."""


class WebSocketEcho:
    """Echoes every WebSocket message."""

    def __init__(self, socket: WebSocketProtocol) -> None:
        self._socket = socket

    def on_text(self, payload: bytes) -> None:
        self._socket.write_frame(websocket_frame(TEXT, payload))

    def on_binary(self, payload: bytes) -> None:
        self._socket.write_frame(websocket_frame(BINARY, payload))

    def on_violation(self, reason: CloseReason) -> None:
        self._socket.close(reason)

    def on_close(self) -> None:
        """There is no state to release."""


class WebSocketLayer:
    """Serves the engine's WebSocket without Engine.IO, on any path."""

    def __init__(self, *, max_message_bytes: int = _LARGEST_ECHO_BYTES, max_frames_per_s: int = _FRAMES_PER_S) -> None:
        self.group = SocketGroup(
            max_message_bytes=max_message_bytes,
            max_unread_bytes=_LARGEST_ECHO_BYTES,
            max_frames_per_s=max_frames_per_s,
        )

    def attach(self, app: web.Application) -> None:
        app.router.add_get("/{path:.*}", self._serve)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        flaw = upgrade_flaw(request)
        if flaw is not None:
            return responses.bad_upgrade(flaw)
        socket = accept_upgrade(request, self.group)
        if socket is not None:
            socket.set_receiver(WebSocketEcho(socket))
        return UpgradedResponse()

    async def close(self, reason: CloseReason, *, deadline_s: float) -> None:
        self.group.abort_all()
        await self.group.wait_closed(deadline_s)


def layer_server(layer: Layer) -> SocketEngine | WebSocketLayer:
    """The server against which the official test suite of a layer runs."""
    if layer == "websocket":
        return WebSocketLayer()
    return SocketEngine(
        sessions=SessionManager(policy=AuthEcho(), hub=Hub()),
        options=EngineOptions(
            path=f"/{layer.removesuffix('io')}.io/",
            ping_interval_ms=300,
            ping_timeout_ms=200,
            max_packet_bytes=1_000_000,
            namespaces=("/", "/custom"),
        ),
        drain_state=DrainState(),
        packet_handler=EngineEcho if layer == "engineio" else SocketEcho,
    )


@asynccontextmanager
async def listening(server: Any, *, port: int = 0, on_ipv6_too: bool = False) -> AsyncIterator[int]:
    """Serves an object with `attach` and `close` on the loopback address; yields the actual port."""
    app = web.Application()
    server.attach(app)
    runner = web.AppRunner(app, access_log=None, tcp_keepalive=False)
    await runner.setup()
    try:
        engines = [server] if isinstance(server, SocketEngine) else []
        await EngineAcceptor(runner, listen("127.0.0.1", port), engines).start()
        real_port = runner.addresses[0][1]
        if on_ipv6_too:
            with suppress(OSError):  # a machine may have no IPv6
                await EngineAcceptor(runner, listen("::1", real_port), engines).start()
        yield real_port
    finally:
        await server.close(CLOSE_DRAINING, deadline_s=1)
        await runner.cleanup()


async def _serve(layer: Layer, port: int) -> None:
    # The suites connect to "localhost", which resolves to an IPv6 address first.
    async with listening(layer_server(layer), port=port, on_ipv6_too=True) as real_port:
        print(f"{layer} on port {real_port}", flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("layer", choices=get_args(Layer))
    parser.add_argument("--port", type=int, default=3000, help="0: a free one, which is printed")
    arguments = parser.parse_args()
    try:
        uvloop.run(_serve(arguments.layer, arguments.port))
    except KeyboardInterrupt:
        pass  # the usual way to stop it


if __name__ == "__main__":
    main()

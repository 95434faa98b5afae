"""A small server on the engine, on a real port: it echoes, emits to rooms and misbehaves on request.

It serves JSON and msgpack, each on its own path, as a node does.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aiohttp import web

from realtime.contract.errors import CLOSE_DRAINING, CLOSE_FLOOD
from realtime.contract.unparseable import Unparseable
from realtime.engine.acceptor import EngineAcceptor
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.drain_state import DrainState
from realtime.engine.http.listening_socket import listen
from realtime.engine.hub import Hub
from realtime.engine.protocol import msgpack_packets
from realtime.engine.protocol.encoded_push import EncodedPush
from realtime.engine.server import EngineOptions, SocketEngine
from realtime.engine.session.policy import ConnectRefused, HandshakeRefusal, HandshakeRequest
from realtime.engine.session.session import Session
from tests.protocol.dialect import MSGPACK

OPTIONS = EngineOptions(namespaces=("/", "/chat", "/feed"))


@dataclass
class EchoPolicy:
    """Records its calls. Events that ask to wait do so until `may_continue`; `waiting` is the task of the last one."""

    hub: Hub
    may_continue: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Task[object] | None = None
    refusal: HandshakeRefusal | None = None
    handshakes: list[HandshakeRequest] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    seen: list[object] = field(default_factory=list)
    sizes_bytes: list[int] = field(default_factory=list)
    gone: list[tuple[str, str]] = field(default_factory=list)
    gone_changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        self.handshakes.append(request)
        return self.refusal

    async def connect(self, session: Session, auth: Mapping[str, object]) -> None:
        if "refuse" in auth:
            raise ConnectRefused("unauthenticated", "Log in first.")
        if "fail" in auth:
            raise RuntimeError("connect fails")
        if "early" in auth:
            session.push_volatile("early", b'"push"')
        if "close" in auth:
            session.connection.close(CLOSE_FLOOD)
        if "wait" in auth:
            self.arrived.set()
            await self.may_continue.wait()
        self.sessions.append(session)

    async def event(self, session: Session, name: str, args: Sequence[object], size_bytes: int) -> object:
        self.sizes_bytes.append(size_bytes)
        argument = args[0] if args else None
        if isinstance(argument, Unparseable):
            return {"unparseable": argument.reason}
        self.seen.append(argument)
        match name:
            case "join":
                return self.hub.join(session, str(argument))
            case "shout":
                return self.hub.push(EncodedPush(session.namespace, "shouted", b'"hello"'), (str(argument),))
            case "push":
                for number in range(int(str(argument))):
                    session.push_volatile("pushed", str(number).encode())
            case "flood":
                session.push_volatile("pushed", b'"' + b"x" * int(str(argument)) + b'"')
            case "wait":
                self.waiting = asyncio.current_task()
                self.arrived.set()
                await self.may_continue.wait()
            case "yield":
                await asyncio.sleep(0)
            case "fail":
                raise RuntimeError("event fails")
            case "unencodable":
                return object()
            case "encoded":
                return b'{"already":"encoded"}'
            case "close":
                session.connection.close(CLOSE_FLOOD)
            case "kick":
                session.push_volatile("pushed", b'"last words"')
                session.disconnect()
            case "binary":
                return [len(part) for part in _binaries(args)]
        return json.loads(json.dumps(argument)) if name == "echo" else argument

    def disconnected(self, session: Session, reason: str) -> None:
        self.hub.leave_all(session)
        self.gone.append((session.namespace, reason))
        self.gone_changed.set()

    async def until_gone(self, count: int = 1) -> list[tuple[str, str]]:
        while len(self.gone) < count:
            self.gone_changed.clear()
            await self.gone_changed.wait()
        return self.gone


def _binaries(value: object) -> list[bytes]:
    if isinstance(value, bytes):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [part for item in value for part in _binaries(item)]
    return []


@dataclass
class EchoServer:
    """`engine` is the one for JSON."""

    port: int
    hub: Hub
    policy: EchoPolicy
    engine: SocketEngine

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def echo_server(*, kind: type[EchoPolicy] = EchoPolicy, **options: object) -> AsyncIterator[EchoServer]:
    """Listens on a free port; `options` override the engine's."""
    hub = Hub()
    policy = kind(hub)
    json_options = replace(OPTIONS, **options)  # type: ignore[arg-type]
    msgpack_options = replace(json_options, path=MSGPACK.path, codec=msgpack_packets)
    sessions, drain_state = SessionManager(policy=policy, hub=hub), DrainState()
    engines = [
        SocketEngine(sessions=sessions, options=each, drain_state=drain_state)
        for each in (json_options, msgpack_options)
    ]
    app = web.Application()
    for engine in engines:
        engine.attach(app)
    runner = web.AppRunner(app, access_log=None, tcp_keepalive=False)
    await runner.setup()
    await EngineAcceptor(runner, listen("127.0.0.1", 0), engines).start()
    try:
        yield EchoServer(runner.addresses[0][1], hub, policy, engines[0])
    finally:
        policy.may_continue.set()
        await asyncio.gather(*(engine.close(CLOSE_DRAINING, deadline_s=1) for engine in engines))
        await runner.cleanup()

"""Handshakes that are answered without aiohttp mean the same as those that it answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from realtime.contract.errors import CLOSE_DRAINING
from realtime.engine.acceptor import EngineAcceptor
from realtime.engine.connections.session_manager import SessionManager
from realtime.engine.drain_state import DrainState
from realtime.engine.http.listening_socket import listen
from realtime.engine.hub import Hub
from realtime.engine.options import EngineOptions
from realtime.engine.server import SocketEngine
from realtime.engine.session.policy import HandshakeRefusal, HandshakeRequest
from tests.protocol.echo_server import OPTIONS, EchoPolicy
from tests.protocol.websocket_peer import FIN, TEXT, Peer, connected, frame

TARGET = "/socket.io/?EIO=4&transport=websocket"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = (
    "Host: localhost",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)


def head(
    target: str = TARGET, *headers: str, method: str = "GET", version: str = "1.1", newline: str = "\r\n"
) -> bytes:
    lines = [f"{method} {target} HTTP/{version}", *(headers or HEADERS), "", ""]
    return newline.join(lines).encode("utf-8", "surrogateescape")


def but(*, without: str = "", **changed: str) -> tuple[str, ...]:
    """The headers of a good handshake, without one of them or with others in their place."""
    names = {name.replace("_", "-").lower(): value for name, value in changed.items()}
    kept = [line for line in HEADERS if line.partition(":")[0].lower() not in {without.lower(), *names}]
    return (*kept, *(f"{name}: {value}" for name, value in names.items()))


@dataclass
class AdmittingPolicy(EchoPolicy):
    """Admits when it `may_admit`, or fails."""

    may_admit: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    fails: bool = False

    async def admit(self, request: HandshakeRequest) -> HandshakeRefusal | None:
        self.asked.set()
        await self.may_admit.wait()
        if self.fails:
            raise RuntimeError("no admission")
        return await super().admit(request)


@dataclass
class Lab:
    port: int
    policy: AdmittingPolicy
    hub: Hub
    engine: SocketEngine
    site: EngineAcceptor
    runner: web.AppRunner

    @property
    def requests_of_aiohttp(self) -> int:
        assert self.runner.server is not None
        return self.runner.server.requests_count


@asynccontextmanager
async def lab(*, admits: bool = True, options: EngineOptions = OPTIONS, silent_s: float = 60.0) -> AsyncIterator[Lab]:
    hub = Hub()
    policy = AdmittingPolicy(hub)
    if admits:
        policy.may_admit.set()
    engine = SocketEngine(sessions=SessionManager(policy=policy, hub=hub), options=options, drain_state=DrainState())
    app = web.Application()
    engine.attach(app)

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="page")

    app.router.add_get("/page", page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    listening = listen("127.0.0.1", 0)
    site = EngineAcceptor(runner, listening, [engine], first_request_within_s=silent_s)
    await site.start()
    try:
        yield Lab(listening.getsockname()[1], policy, hub, engine, site, runner)
    finally:
        policy.may_admit.set()
        await engine.close(CLOSE_DRAINING, deadline_s=1)
        await runner.cleanup()


async def answer(port: int, *pieces: bytes) -> tuple[str, ...]:
    """What an answer says: its status line with the first packet, or with the first line of the body."""
    async with connected(port) as client:
        for piece in pieces:
            await client.send(piece)
            await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            response = (await client.head()).decode()
            status, *lines = response.split("\r\n")
            told = {line.lower() for line in lines}
            if " 101 " in status:
                _, packet = await client.receive()
                keys = sorted(json.loads(packet[1:]))
                accepted = sorted(line for line in lines if line.startswith("Sec-WebSocket-"))
                return (status, *accepted, packet[:1].decode(), *keys)
            (length,) = [int(line.partition(":")[2]) for line in told if line.startswith("content-length")]
            body = (await client.read()).decode() if length else ""
            # aiohttp quotes the segment in which it found a malformed request.
            return status, *body.splitlines()[:1]


async def test_a_plain_handshake_does_not_pass_through_aiohttp() -> None:
    async with lab() as server:
        found = await answer(server.port, head())
        assert found[:3] == (
            "HTTP/1.1 101 Switching Protocols",
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
            "0",
        )
        assert server.requests_of_aiohttp == 0
        assert [handshake.transport for handshake in server.policy.handshakes] == ["websocket"]


PLAIN = [
    head(TARGET, *(line.lower() for line in HEADERS)),
    head("/socket.io/?transport=websocket&EIO=4&t=Pf3.x-_~1", *HEADERS),
    head(TARGET, *but(connection="keep-alive, Upgrade"), "Accept-Language: de"),
    head(TARGET, *HEADERS, "User-Agent:   spaces around  ", "X-Empty:"),
    head(TARGET, *HEADERS, "Origin: http://localhost"),
    head(TARGET.replace("io/", "io"), *HEADERS),
    head(TARGET, *HEADERS, "Sec-WebSocket-Protocol: first , second"),
    head(TARGET, *HEADERS, "Sec-WebSocket-Protocol: first", "Sec-WebSocket-Protocol: second"),
    head(TARGET, *HEADERS, "Sec-WebSocket-Protocol:"),
    head(TARGET, *HEADERS, "Sec-WebSocket-Protocol: , a b, (c), d"),
    head(TARGET, *but(upgrade="WebSocket"), "Sec-WebSocket-Extensions: permessage-deflate"),
]
OTHERS = [
    head("/socket.io/?EIO=%34&transport=websocket", *HEADERS),
    head("/socket.io/?EIO=4&EIO=4&transport=websocket", *HEADERS),
    head("/socket.io/?EIO=4&transport=websocket&x=a+b", *HEADERS),
    head("/socket.io/?EIO=4&transport=websocket&", *HEADERS),
    head("/socket.io/?EIO=3&transport=websocket", *HEADERS),
    head("/socket.io/?EIO=4&transport=polling", *HEADERS),
    head("/socket.io/?EIO=4&transport=websocket&sid=unknown", *HEADERS),
    head("/socket.io/", *HEADERS),
    head("/socket.io", *HEADERS),
    head("/socket.io//?EIO=4&transport=websocket", *HEADERS),
    head("/elsewhere/?EIO=4&transport=websocket", *HEADERS),
    head("http://localhost/socket.io/?EIO=4&transport=websocket", *HEADERS),
    head(TARGET, *but(without="Host")),
    head(TARGET, *HEADERS, "Host: other"),
    head(TARGET, *but(without="Sec-WebSocket-Key")),
    head(TARGET, *but(sec_websocket_key="c2hvcnQ=")),
    head(TARGET, *but(sec_websocket_key="not base64")),
    head(TARGET, *HEADERS, f"Sec-WebSocket-Key: {KEY}"),
    head(TARGET, *but(sec_websocket_version="12")),
    head(TARGET, *but(upgrade="h2c")),
    head(TARGET, *but(connection="close")),
    head(TARGET, *HEADERS, "Content-Length: 0"),
    head(TARGET, *HEADERS, "Origin: https://elsewhere.example"),
    head(TARGET, *HEADERS, "X-Text: Gr\u00fc\u00dfe"),
    head(TARGET, *HEADERS, "X-Tab: a\tb"),
    head(TARGET, *HEADERS, "X-Folded: a", " b"),
    head(TARGET, *HEADERS, "No colon"),
    head(TARGET, *HEADERS, "Space : before the colon"),
    head(TARGET, *HEADERS, "X-Zero: \0"),
    head(TARGET, *HEADERS, "User-Agent: " + "x" * 9_000),
    head(TARGET, *HEADERS, *(f"X-{number}: 1" for number in range(200))),
    head(TARGET + "&x=" + "y" * 9_000, *HEADERS),
    head(TARGET, *HEADERS, "Origin: http://["),
    head(TARGET, *HEADERS, method="POST"),
    head(TARGET, *HEADERS, version="1.0"),
    head(TARGET, *HEADERS, newline="\n"),
]


async def test_plain_handshakes_get_the_answer_of_aiohttp() -> None:
    async with lab() as server:
        for number, request_head in enumerate(PLAIN, 1):
            alone = await answer(server.port, request_head)
            assert server.requests_of_aiohttp == number - 1, request_head
            assert alone == await answer(server.port, request_head[:20], request_head[20:])
            assert server.requests_of_aiohttp == number and "101" in alone[0]
        handshakes = server.policy.handshakes
        assert handshakes[::2] == handshakes[1::2] and len(handshakes) == 2 * len(PLAIN)


async def test_everything_else_is_left_to_aiohttp() -> None:
    async with lab() as server:
        for request_head in OTHERS:
            alone = await answer(server.port, request_head)
            assert alone == await answer(server.port, request_head[:20], request_head[20:]), request_head
        # Some are good handshakes, others are refused before the policy is asked: the same ones on both ways.
        handshakes = server.policy.handshakes
        assert handshakes[::2] == handshakes[1::2]


async def test_bytes_that_come_with_the_handshake_are_handled() -> None:
    async with lab() as server, connected(server.port) as client:
        await client.send(head() + frame(FIN | TEXT, b"40/chat,") + frame(FIN | TEXT, b'42/chat,1["echo","x"]'))
        await client.head()
        assert (await client.receive())[1].startswith(b"0{")
        assert (await client.receive())[1].startswith(b"40/chat,")
        assert (await client.receive())[1] == b'43/chat,1["x"]'


async def test_bytes_that_come_while_admission_waits_are_handled_after_it() -> None:
    async with lab(admits=False) as server, connected(server.port) as client:
        await client.send(head())
        await server.policy.asked.wait()
        await client.send(frame(FIN | TEXT, b"40/chat,"), frame(FIN | TEXT, b'42/chat,1["echo","x"]'))
        await asyncio.sleep(0.05)
        assert server.hub.connection_count() == 0
        server.policy.may_admit.set()
        await client.head()
        assert [(await client.receive())[1][:8] for _ in range(3)] == [b'0{"sid":', b"40/chat,", b"43/chat,"]
        assert server.requests_of_aiohttp == 0


@pytest.mark.parametrize("admits", [True, False], ids=["at once", "after a wait"])
async def test_a_refusal_is_answered_as_ever(admits: bool) -> None:
    async with lab(admits=admits) as server, connected(server.port) as client:
        server.policy.refusal = HandshakeRefusal(429, "rate_limited", 2.5)
        await client.send(head())
        await server.policy.asked.wait()
        server.policy.may_admit.set()
        response = await client.head()
        assert response.startswith(b"HTTP/1.1 429 ") and b"Retry-After: 3" in response
        assert server.hub.connection_count() == 0


async def test_a_policy_that_fails_is_answered_500() -> None:
    async with lab() as server, connected(server.port) as client:
        server.policy.fails = True
        await client.send(head())
        assert (await client.head()).startswith(b"HTTP/1.1 500 ")
        assert server.hub.connection_count() == 0


async def test_a_client_that_leaves_while_admission_waits_gets_no_connection() -> None:
    async with lab(admits=False) as server:
        async with connected(server.port) as client:
            await client.send(head())
            await server.policy.asked.wait()
        server.policy.may_admit.set()
        async with asyncio.timeout(5):
            while server.hub.connection_count() or server.engine._connections.tasks():
                await asyncio.sleep(0.01)


async def test_an_engine_that_stops_refuses_and_ends_admissions() -> None:
    async with lab(admits=False) as server, connected(server.port) as waiting:
        await waiting.send(head())
        await server.policy.asked.wait()
        await server.engine.close(CLOSE_DRAINING, deadline_s=0.05)
        assert await waiting.read() == b""
        status, body = await answer(server.port, head())
        assert (status, json.loads(body)["code"]) == ("HTTP/1.1 503 Service Unavailable", "draining")


async def test_an_admission_that_is_cancelled_before_it_begins_closes_its_socket() -> None:
    async with lab(admits=False) as server, connected(server.port) as first, connected(server.port) as second:
        await first.send(head())
        await second.send(head())
        async with asyncio.timeout(5):
            while len(tasks := server.engine._connections.tasks()) < 2:
                await asyncio.sleep(0)
            for task in tasks:
                task.cancel()
            assert await _end(first) and await _end(second)


async def test_a_silent_socket_is_closed_in_time_and_at_the_stop() -> None:
    async with lab(silent_s=0.05) as server, connected(server.port) as client:
        async with asyncio.timeout(5):
            assert await _end(client)
    async with lab() as server, connected(server.port) as client:
        async with asyncio.timeout(5):
            while not server.site._silent.waiting():
                await asyncio.sleep(0.01)
            await server.site.stop()
            assert await _end(client)


async def _end(client: Peer) -> bool:
    try:
        return await client.read() == b""
    except ConnectionResetError:
        return True


async def test_a_socket_of_other_requests_can_be_upgraded() -> None:
    async with lab() as server, connected(server.port) as client:
        await client.send(b"GET /page HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await client.head()).startswith(b"HTTP/1.1 200 ")
        assert await client.read() == b"page"
        await client.send(head())
        assert (await client.head()).startswith(b"HTTP/1.1 101 ")
        assert server.requests_of_aiohttp == 2

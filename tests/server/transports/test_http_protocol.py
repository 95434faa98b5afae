"""Whatever a client sends, the answer is in the usual envelope, with nothing of the request in it; on a real port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web

from realtime.engine.http.origins import OriginPolicy
from server.transports.answer_headers import AnswerHeaders
from server.transports.cors import SharedApi
from server.transports.http_protocol import MAX_HEADER_BYTES
from server.transports.http_server import HttpServer
from tests.kit.log_watch import watched_log
from tests.kit.server import RunningServer

FRIEND = "https://friend.example"
MARK = "quoted-by-nobody"
HOST = "Host: here"
END = "Connection: close"
SOCKETS = "/socket.io/?EIO=4&transport="
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket")
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
VERSION = "Sec-WebSocket-Version: 13"
CHUNKED = "Transfer-Encoding: chunked"
TLS_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + MARK.encode() + b"\r\n\r\n"


def request(first: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([first, *headers, "", ""]).encode("latin-1") + body


def get(target: str, *headers: str) -> bytes:
    return request(f"GET {target} HTTP/1.1", HOST, END, *headers)


def post(target: str, *headers: str, body: bytes = b"") -> bytes:
    return request(f"POST {target} HTTP/1.1", HOST, END, *headers, body=body)


class _Received(asyncio.Protocol):
    """Keeps what came before a reset, too: the server may refuse a request and close while its rest is being sent."""

    def __init__(self) -> None:
        self.data = b""
        self.changed = asyncio.Event()
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        self.changed.set()

    async def until(self, is_enough: Callable[[bytes], bool]) -> None:
        while not is_enough(self.data):
            assert not self.is_lost, self.data
            self.changed.clear()
            await self.changed.wait()


async def answers(port: int, *pieces: bytes) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the first answer."""
    transport, received = await asyncio.get_running_loop().create_connection(_Received, "127.0.0.1", port)
    try:
        for piece in pieces:
            transport.write(piece)
            await asyncio.sleep(0.001)
        async with asyncio.timeout(10):
            await received.until(lambda data: b"\r\n\r\n" in data)
            head, _, _ = received.data.partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            start = len(head) + 4
            end = start + int(headers.get("content-length", "0"))
            await received.until(lambda data: len(data) >= end)
            return int(lines[0].split(" ")[1]), headers, received.data[start:end]
    finally:
        transport.abort()


async def assert_refused(port: int, *pieces: bytes, status: int, code: str) -> tuple[dict[str, str], Any]:
    found, headers, body = await answers(port, *pieces)
    assert found == status, (pieces, found, body)
    assert headers["content-type"] == "application/json", pieces
    answer: dict[str, Any] = orjson.loads(body)
    assert answer["ok"] is False and answer["error"]["code"] == code, (pieces, answer)
    assert isinstance(answer["error"]["message"], str) and answer["error"]["retryable"] is False
    assert MARK not in body.decode() and MARK not in str(headers), pieces
    return headers, answer


MALFORMED = [
    f"{MARK} and nothing else\r\n\r\n".encode(),
    request(f"GET /{MARK} HTTP/1.1"),
    request(f"{MARK} / HTTP/1.1", HOST),
    request(f"get /{MARK} HTTP/1.1", HOST),
    request(f"GET /{MARK} HTTP/9.9", HOST),
    get("/", MARK),
    get("/", f"{MARK}: a\0b"),
    get(f"http://{MARK}:99999999/"),
    get(f"http://[{MARK}/"),
    get(f"/\xff\xfe{MARK}"),
    get("/", f"Sec-WebSocket-Key1: {MARK}"),
    post("/v1/auth/login", f"Content-Length: {MARK}"),
    post("/v1/auth/login", "Content-Length: 3", "Content-Length: 4"),
    post("/v1/auth/login", "Content-Length: 3", CHUNKED, body=b"0\r\n\r\n"),
    post("/v1/auth/login", CHUNKED, body=f"ZZ{MARK}\r\n".encode()),
    get("/v1/events", CHUNKED) + f"ZZ{MARK}\r\n".encode(),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    TLS_HELLO,
]
LARGE = [
    (431, get("/v1/users/me", f"Cookie: {MARK}=" + "x" * MAX_HEADER_BYTES)),
    (431, get("/", "X" * (MAX_HEADER_BYTES + 1) + f": {MARK}")),
    (431, get("/", *(f"X-{number}: {MARK}" for number in range(200)))),
    (431, get(f"{SOCKETS}websocket", *UPGRADE, KEY, VERSION, f"Cookie: {MARK}=" + "x" * MAX_HEADER_BYTES)),
    (414, get(f"/v1/{MARK}" + "x" * 9_000)),
    (414, get(f"{SOCKETS}polling&{MARK}=" + "x" * 9_000)),
]
UNKNOWN = [
    (404, get(f"/{MARK}")),
    (404, get(f"/plain/{MARK}")),
    (404, get(f"/v1?{MARK}")),
    (404, get(f"/v1/{MARK}")),
    (404, get(f"/api/v1/{MARK}")),
    (404, get(f"/socket.io{MARK}")),
    (404, get(f"/{MARK}", *UPGRADE, KEY, VERSION)),
    (404, request(f"CONNECT {MARK}:1 HTTP/1.1", HOST, END)),
    (404, request("OPTIONS * HTTP/1.1", HOST, END)),
    (405, post("/")),
    (405, post("/health")),
    (405, post("/v1/events")),
    (405, request("PATCH /api/v1/auth/login HTTP/1.1", HOST, END)),
]
SOCKET_PATH = [
    (403, "forbidden", get(f"{SOCKETS}polling", f"Origin: https://{MARK}")),
    (403, "forbidden", get(f"{SOCKETS}websocket", *UPGRADE, KEY, VERSION, f"Origin: https://{MARK}")),
    (400, "invalid_payload", get(f"/socket.io/?EIO=3{MARK}&transport=polling")),
    (400, "invalid_payload", get(f"/socket.io?EIO=4&transport={MARK}")),
    (400, "invalid_payload", get(f"{SOCKETS}polling&sid={MARK}")),
    (400, "invalid_payload", get("/socket.io-msgpack/?EIO=%ff&transport=%fe&sid=%ed%a0%80")),
    (400, "invalid_payload", post(f"{SOCKETS}polling&sid={MARK}", "Content-Length: 2", body=b"40")),
    (400, "invalid_payload", request(f"DELETE {SOCKETS}polling HTTP/1.1", HOST, END)),
    (400, "invalid_payload", request(f"GET {SOCKETS}websocket HTTP/1.1", HOST, *UPGRADE, VERSION)),
    (426, "invalid_payload", request(f"GET {SOCKETS}websocket HTTP/1.1", HOST, *UPGRADE, KEY, f"{VERSION}{MARK}")),
]


async def test_whatever_is_wrong_with_a_request_is_answered_in_the_envelope(server: RunningServer) -> None:
    port = server.node.port
    with watched_log("request_failed", "malformed_request") as lines:
        for data in MALFORMED:
            await assert_refused(port, data, status=400, code="invalid_payload")
            await assert_refused(port, data[:9], data[9:], status=400, code="invalid_payload")
    assert {line["event"] for line in lines} == {"malformed_request"} and MARK not in str(lines)
    for status, data in LARGE:
        await assert_refused(port, data, status=status, code="too_large")
    for status, data in UNKNOWN:
        headers, _ = await assert_refused(port, data, status=status, code="unknown_command")
        assert (status == 405) is ("allow" in headers)
    for target in ("/", "/v1/auth/login", f"/{MARK}", f"{SOCKETS}polling"):
        await assert_refused(port, post(target, f"Expect: {MARK}"), status=417, code="invalid_payload")
    for status, code, data in SOCKET_PATH:
        await assert_refused(port, data, status=status, code=code)


async def test_a_large_cookie_is_served(server: RunningServer) -> None:
    """Cookies mean nothing here, but a host whose other applications set many sends them here too."""
    cookie = "Cookie: session=" + "x" * 9_000
    port = server.node.port
    assert (await answers(port, get("/health", cookie)))[0] == 200
    assert (await answers(port, get("/v1/users/me", cookie)))[0] == 401
    assert (await answers(port, get("/v1/events", cookie)))[0] == 401
    for path in ("/socket.io/", "/socket.io-msgpack"):
        assert (await answers(port, get(f"{path}?EIO=4&transport=polling", cookie)))[0] == 200
        handshake = request(f"GET {path}?EIO=4&transport=websocket HTTP/1.1", HOST, *UPGRADE, KEY, VERSION, cookie)
        assert (await answers(port, handshake))[0] == 101


@asynccontextmanager
async def served(*handlers: Any) -> AsyncIterator[int]:
    """An HttpServer with these handlers at `/v1/0`, `/v1/1`, …"""

    def attach(app: web.Application) -> None:
        for number, handler in enumerate(handlers):
            app.router.add_route("*", f"/v1/{number}", handler)

    http_server = HttpServer(
        [],
        [AnswerHeaders().attach, SharedApi(OriginPolicy((FRIEND,))).attach, attach],
        host="127.0.0.1",
        port=0,
        max_body_bytes=1_000,
        body_timeout_s=5,
        shutdown_timeout_s=1,
    )
    await http_server.open()
    opened = await http_server.listen()
    try:
        yield opened.number
    finally:
        await opened.close()
        await http_server.close()


async def _fails(request: web.Request) -> web.Response:
    raise RuntimeError(MARK)


async def _times_out(request: web.Request) -> web.Response:
    raise TimeoutError(MARK)


async def _begins_and_fails(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"x")
    raise RuntimeError(MARK)


async def _refuses(request: web.Request) -> web.Response:
    raise web.HTTPServiceUnavailable(text=MARK) if "busy" in request.query else web.HTTPConflict(text=MARK)


async def test_a_handler_that_fails_is_answered_with_the_id_under_which_the_log_has_it() -> None:
    async with served(_fails, _times_out) as port:
        for path in ("/v1/0", "/v1/1"):
            with watched_log("request_failed") as lines:
                _, answer = await assert_refused(port, get(path, "Accept: text/html"), status=500, code="internal")
            (line,) = lines
            assert line["incident"] in answer["error"]["message"] and line["path"] == path


async def test_a_body_that_a_handler_does_not_get_is_no_failure() -> None:
    reading = asyncio.Event()

    async def reads(request: web.Request) -> web.Response:
        reading.set()
        return web.Response(body=await request.read())

    with watched_log("request_failed") as lines:
        async with served(reads) as port:
            assert (await answers(port, post("/v1/0", CHUNKED, body=b"1\r\nx\r\n0\r\n\r\n")))[2] == b"x"
            large = post("/v1/0", "Content-Length: 2000", body=b"x" * 2_000)
            await assert_refused(port, large, status=413, code="too_large")
            reading.clear()
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(post("/v1/0", "Content-Length: 9"))
            await reading.wait()
            writer.transport.abort()
        assert lines == [], "the server has stopped, and all its requests have ended"


async def test_any_other_refusal_of_aiohttp_is_put_into_the_envelope() -> None:
    async with served(_refuses) as port:
        await assert_refused(port, get("/v1/0"), status=409, code="invalid_payload")
        await assert_refused(port, get("/v1/0?busy"), status=503, code="internal")


async def test_an_answer_that_has_begun_is_cut_off() -> None:
    async with served(_begins_and_fails) as port:
        with watched_log("request_failed") as lines:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(get("/v1/0"))
            async with asyncio.timeout(10):
                assert not (await reader.read()).endswith(b"0\r\n\r\n")
            writer.close()
        assert len(lines) == 1


async def test_an_allowed_page_can_read_that_its_call_failed() -> None:
    """The browser tells a page nothing of an answer that lacks the headers."""
    async with served(_fails, _refuses) as port:
        for target, status in (("/v1/0", 500), ("/v1/1", 409), ("/v1/nothing", 404)):
            found, headers, _ = await answers(port, get(target, f"Origin: {FRIEND}"))
            assert (found, headers["access-control-allow-origin"]) == (status, FRIEND)


async def test_a_connection_goes_on_after_a_refusal_of_what_was_understood() -> None:
    async with served(_refuses) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for target, status in (("/nothing", "404"), ("/v1/0", "409"), ("/nothing", "404")):
                writer.write(request(f"GET {target} HTTP/1.1", HOST))
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                assert head.split(" ")[1] == status
                await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        finally:
            writer.transport.abort()

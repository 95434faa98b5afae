"""How an Engine.IO connection is opened, and when it is refused."""

from copy import copy
from typing import Any

import pytest
from aiohttp import ClientSession

from realtime.engine.http.origins import OriginPolicy
from realtime.engine.session.policy import HandshakeRefusal
from tests.protocol.dialect import BOTH, Dialect
from tests.protocol.echo_server import EchoServer, echo_server
from tests.protocol.raw_client import QUERY, raw_http, raw_polling, raw_socket

FOREIGN = "https://elsewhere.example"


async def _get(server: EchoServer, path: str, **headers: str) -> tuple[int, Any, Any]:
    async with ClientSession() as http, http.get(server.url + path, headers=headers) as answer:
        body = await answer.json() if answer.content_type == "application/json" else await answer.text()
        return answer.status, body, answer.headers


async def test_a_polling_handshake_tells_the_engine_s_terms() -> None:
    async with echo_server(ping_interval_ms=333, ping_timeout_ms=250) as server, raw_polling(server) as client:
        sid = client.opened.pop("sid")
        assert len(sid) == 20
        assert client.opened == {
            "upgrades": ["websocket"],
            "pingInterval": 333,
            "pingTimeout": 250,
            "maxPayload": 1_000_000,
        }


async def test_a_websocket_handshake_offers_no_upgrade() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        assert client.opened["upgrades"] == []


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("?transport=polling", 5),
        ("?EIO=3&transport=polling", 5),
        ("?EIO=4", 0),
        ("?EIO=4&transport=flash", 0),
        ("?EIO=4&transport=polling&sid=nobody", 1),
        ("?EIO=4&transport=websocket", 3),
    ],
)
async def test_a_bad_handshake_is_answered_400_with_its_code(query: str, code: int) -> None:
    async with echo_server() as server:
        status, body, _ = await _get(server, "/socket.io/" + query)
        assert (status, body["code"]) == (400, code)


async def test_a_post_opens_nothing() -> None:
    async with echo_server() as server, ClientSession() as http:
        async with http.post(f"{server.url}{QUERY}polling", data="40") as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, 2)


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_refused_handshake_says_when_to_retry(transport: str) -> None:
    async with echo_server() as server:
        server.policy.refusal = HandshakeRefusal(503, "server_busy", 2.5)
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"} if transport == "websocket" else {}
        status, body, headers = await _get(server, QUERY + transport, **upgrade)
        assert (status, body["code"], headers["Retry-After"]) == (503, "server_busy", "3")


async def test_a_refused_handshake_opens_nothing() -> None:
    async with echo_server() as server:
        server.policy.refusal = HandshakeRefusal(429, "rate_limited", 1)
        await _get(server, QUERY + "polling")
        assert server.hub.connection_count() == 0


async def test_a_foreign_page_is_forbidden() -> None:
    async with echo_server() as server:
        status, body, _ = await _get(server, QUERY + "polling", Origin=FOREIGN)
        assert (status, body["code"]) == (403, 4)


async def test_a_page_of_the_same_host_is_allowed_without_a_list() -> None:
    async with echo_server() as server:
        status, _, _ = await _get(server, QUERY + "polling", Origin=server.url)
        assert status == 200


async def test_a_listed_page_is_allowed_and_may_read_the_answer() -> None:
    async with echo_server(origins=OriginPolicy((FOREIGN,))) as server:
        status, _, headers = await _get(server, QUERY + "polling", Origin=FOREIGN)
        assert (status, headers["Access-Control-Allow-Origin"]) == (200, FOREIGN)


async def test_a_star_allows_every_page() -> None:
    async with echo_server(origins=OriginPolicy(("*",))) as server:
        status, _, _ = await _get(server, QUERY + "polling", Origin=FOREIGN)
        assert status == 200


async def test_an_error_can_be_read_by_an_allowed_page() -> None:
    async with echo_server(origins=OriginPolicy((FOREIGN,))) as server:
        _, _, headers = await _get(server, QUERY + "polling&sid=nobody", Origin=FOREIGN)
        assert headers["Access-Control-Allow-Origin"] == FOREIGN


async def test_a_preflight_of_an_allowed_page_is_answered() -> None:
    async with echo_server(origins=OriginPolicy((FOREIGN,))) as server, ClientSession() as http:
        async with http.options(f"{server.url}{QUERY}polling", headers={"Origin": FOREIGN}) as answer:
            assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, FOREIGN)


async def test_the_policy_gets_the_handshake_request() -> None:
    async with echo_server() as server:
        await _get(server, QUERY + "polling", **{"User-Agent": "test/1", "X-Forwarded-For": "192.0.2.7"})
        (request,) = server.policy.handshakes
        assert (request.peer_address, request.user_agent, request.transport) == ("127.0.0.1", "test/1", "polling")


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (("first",), "first"),
        (("first", "second"), "first"),
        (("v4.engine.io", "graphql-ws"), "v4.engine.io"),
    ],
)
@BOTH
async def test_of_the_offered_subprotocols_the_first_is_taken(
    offered: tuple[str, ...], taken: str, dialect: Dialect
) -> None:
    async with echo_server() as server, raw_socket(server, dialect, protocols=offered) as client:
        assert client.websocket.protocol == taken
        await client.connect()


async def test_an_upgrade_takes_the_first_subprotocol_too() -> None:
    async with echo_server() as server, raw_polling(server) as client:
        async with client.http.ws_connect(client.websocket_url, protocols=("first", "second")) as websocket:
            assert websocket.protocol == "first"
            await websocket.send_str("2probe")
            assert await websocket.receive_str() == "3probe"
            # A second one beside it is accepted and closed: its client has to understand the answer too.
            async with client.http.ws_connect(client.websocket_url, protocols=("other", "first")) as second:
                assert second.protocol == "other"


async def test_without_an_offer_no_subprotocol_is_answered() -> None:
    async with echo_server() as server, raw_socket(server) as client:
        assert client.websocket.protocol is None


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@BOTH
async def test_the_path_is_served_without_its_last_slash(transport: str, dialect: Dialect) -> None:
    bare = copy(dialect)
    bare.path = dialect.path.rstrip("/")
    async with echo_server() as server:
        if transport == "websocket":
            async with raw_socket(server, bare) as socket:
                await socket.connect()
                assert await socket.ask('42/chat,1["echo","x"]') == '43/chat,1["x"]'
        else:
            async with raw_polling(server, bare) as polling:
                await polling.connect()
                await polling.post('42/chat,1["echo","x"]')
                assert await polling.packets() == ['43/chat,1["x"]']


async def test_compression_is_never_agreed_on() -> None:
    async with echo_server() as server, raw_socket(server, compress=15) as client:
        assert client.websocket.compress == 0


async def test_bytes_glued_to_the_upgrade_request_are_not_lost() -> None:
    frame = bytes((0x81, 0x80 + len("40/chat,"), 0, 0, 0, 0)) + b"40/chat,"
    goodbye = bytes((0x88, 0x80, 0, 0, 0, 0))
    request = (
        f"GET {QUERY}websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()
    async with echo_server() as server:
        answer = await raw_http(server, request + frame + goodbye)
        assert b'40/chat,{"sid":' in answer

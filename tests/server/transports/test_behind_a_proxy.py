"""What a server believes of the proxy in front of it: whose page is its own, and who the client is; on a real port."""

from __future__ import annotations

import aiohttp
import pytest

from realtime.engine.http.origins import REFUSALS_LOGGED_PER_MINUTE
from server.transports.sockets import HANDSHAKES
from tests.kit.log_watch import watched_log
from tests.kit.server import RunningServer, running_server, settings_for_tests

PATHS = ("/socket.io/", "/socket.io-msgpack/")
POLLING, WEBSOCKET = "polling", "websocket"
THREE_HANDSHAKES = 3 / HANDSHAKES.count
LOCAL = "127.0.0.1/32"


async def handshake(server: RunningServer, transport: str, path: str = PATHS[0], **headers: str) -> int:
    """The HTTP status of the answer."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{server.url}{path}?EIO=4&transport={transport}"
    if transport == POLLING:
        async with server.http.get(url, headers=sent) as response:
            return response.status
    try:
        async with server.http.ws_connect(url, headers=sent):
            return 101
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status


async def shares_with(server: RunningServer, **headers: str) -> bool:
    """Whether the page of the Origin may read a REST answer."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with server.http.get(f"{server.url}/v1/users/me", headers=sent) as response:
        assert response.status == 401
        return response.headers.get("Access-Control-Allow-Origin") == headers["Origin"]


OWN = [
    {"Host": "chat.example:443", "Origin": "https://chat.example"},
    {"Host": "chat.example:80", "Origin": "http://chat.example"},
    {"Host": "inner:8000", "X_Forwarded_Host": "chat.example, inner", "Origin": "https://chat.example"},
    {"X_Forwarded_Host": "chat.example:443", "Origin": "https://chat.example"},
    {"X_Forwarded_Host": "chat.example", "X_Forwarded_Port": "8443", "Origin": "https://chat.example:8443"},
]
LISTED = ["https://app.friend.example", "https://named.example", "http://localhost:5173", "capacitor://localhost"]
FOREIGN = [
    {"Host": "chat.example:443", "Origin": "http://chat.example"},
    {"Host": "chat.example", "Origin": "https://chat.example:8443"},
    {"X_Forwarded_Host": "inner, chat.example", "Origin": "https://chat.example"},
    {"Origin": "https://friend.example"},
    {"Origin": "https://app.friend.example.evil.example"},
    {"Origin": "https://named.example:444"},
    {"Origin": "ionic://localhost"},
    {"Origin": "null"},
]


async def test_pages_of_this_host_and_of_the_list_open_sockets_and_read_answers(
    database_url: str, redis_url: str
) -> None:
    listed = "https://*.friend.example,https://named.example:443,http://localhost:*,capacitor://localhost"
    settings = settings_for_tests(database_url, redis_url, trusted_proxies=LOCAL, allowed_origins=listed)
    async with running_server(settings) as server:
        for headers in (*OWN, *({"Origin": origin} for origin in LISTED)):
            for path in PATHS:
                assert await handshake(server, POLLING, path, **headers) == 200, headers
                assert await handshake(server, WEBSOCKET, path, **headers) == 101, headers
            assert await shares_with(server, **headers), headers
        with watched_log("origin_refused") as lines:
            for headers in FOREIGN:
                assert await handshake(server, POLLING, **headers) == 403, headers
                assert await handshake(server, WEBSOCKET, **headers) == 403, headers
                assert not await shares_with(server, **headers), headers
        assert (lines[0]["origin"], lines[0]["own_host"]) == ("http://chat.example", "chat.example:443")
        # The minute may change meanwhile.
        assert len(lines) <= 2 * REFUSALS_LOGGED_PER_MINUTE < 3 * len(FOREIGN)


async def test_a_page_that_a_stranger_calls_its_own_is_refused_and_the_log_says_why(
    database_url: str, redis_url: str
) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as server:
        with watched_log("origin_refused") as refused:
            for transport in (POLLING, WEBSOCKET):
                headers = {"X_Forwarded_Host": "chat.example", "Origin": "https://chat.example"}
                assert await handshake(server, transport, **headers) == 403
        assert [line["untrusted_forwarded_host"] for line in refused] == [True, True]


@pytest.mark.parametrize(
    ("header", "same", "other"),
    [
        ("X-Forwarded-For", ("203.0.113.7:51234", "203.0.113.7:1", "6.6.6.6, 203.0.113.7"), "203.0.113.8:51234"),
        (
            "Forwarded",
            ('for="[2001:db8::1]:443"', 'for="[2001:db8::1]";proto=https', 'For="[2001:db8::1]"'),
            'for="[2001:db8:1::1]:443"',
        ),
    ],
)
async def test_a_limit_is_the_client_s_and_not_the_proxy_s(
    database_url: str, redis_url: str, header: str, same: tuple[str, ...], other: str
) -> None:
    settings = settings_for_tests(
        database_url,
        redis_url,
        rate_limit_factor=THREE_HANDSHAKES,
        trusted_proxies=LOCAL,
        forwarded_header=header,
    )
    async with running_server(settings, work=False) as server:
        ignored = {"X-Forwarded-For": "192.0.2.1", "Forwarded": "for=192.0.2.1", "X-Real-IP": "192.0.2.1"}
        sent = [{**ignored, header: address} for address in (*same, *same)]
        transports = (POLLING, WEBSOCKET) * len(same)
        statuses = [
            await handshake(server, transport, **headers) for transport, headers in zip(transports, sent, strict=True)
        ]
        assert statuses == [200, 101, 200, 429, 429, 429]
        assert await handshake(server, POLLING, **{**ignored, header: other}) == 200


async def test_rest_knows_the_client_behind_the_proxy_too(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=0.2, trusted_proxies=LOCAL)
    async with running_server(settings, work=False) as server:

        async def is_limited(address: str) -> bool:
            status, _ = await server.rest("POST", "/auth/refresh", {}, headers={"X-Forwarded-For": address})
            assert status in (422, 429)
            return status == 429

        for _ in range(1_000):
            if await is_limited("203.0.113.7:51234"):
                break
        assert await is_limited("203.0.113.7:4")
        assert not await is_limited("203.0.113.8:51234")

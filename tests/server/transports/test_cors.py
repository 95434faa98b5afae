"""Which pages a browser lets call the API, on a real port."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from multidict import CIMultiDictProxy

from tests.kit.log_watch import watched_log
from tests.kit.server import RunningServer, running_server, settings_for_tests

FRIEND = "https://friend.example"
STRANGER = "https://stranger.example"
MARK = "Access-Control-Allow-Origin"
CREDENTIALS = "Access-Control-Allow-Credentials"
SOCKETS = "/socket.io/?EIO=4&transport=polling"


@pytest_asyncio.fixture
async def server(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    async with running_server(settings_for_tests(database_url, redis_url, allowed_origins=(FRIEND,))) as running:
        yield running


async def ask(server: RunningServer, method: str, path: str, **headers: str) -> tuple[int, CIMultiDictProxy[str]]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with server.http.request(method, server.url + path, headers=sent) as response:
        await response.read()
        return response.status, response.headers


async def test_a_preflight_of_an_allowed_page_is_granted(server: RunningServer) -> None:
    for path in ("/v1/posts", "/v1/events"):
        status, headers = await ask(
            server,
            "OPTIONS",
            path,
            Origin=FRIEND,
            Access_Control_Request_Method="DELETE",
            Access_Control_Request_Headers="authorization, content-type, idempotency-key",
        )
        assert (status, headers[MARK], headers["Vary"]) == (204, FRIEND, "Origin")
        granted = {name.strip().lower() for name in headers["Access-Control-Allow-Headers"].split(",")}
        assert granted >= {"authorization", "content-type", "idempotency-key"}
        assert "DELETE" in headers["Access-Control-Allow-Methods"]
        assert headers[CREDENTIALS] == "true"


async def test_a_preflight_grants_what_it_asks_for(server: RunningServer) -> None:
    """Tools that trace requests add headers of their own to every call of a page."""
    asked = "authorization,baggage,sentry-trace,traceparent"
    for path in ("/v1/posts", "/api/v1/posts", "/v1/events", SOCKETS, SOCKETS.replace("io/", "io-msgpack/")):
        status, headers = await ask(
            server,
            "OPTIONS",
            path,
            Origin=FRIEND,
            Access_Control_Request_Method="POST",
            Access_Control_Request_Headers=asked,
        )
        assert (status, headers[MARK], headers[CREDENTIALS]) == (204, FRIEND, "true")
        granted = {name.strip().lower() for name in headers["Access-Control-Allow-Headers"].split(",")}
        assert granted >= set(asked.split(","))


async def test_an_allowed_page_may_read_answers_and_refusals(server: RunningServer) -> None:
    for path, status in (("/v1/users/me", 401), ("/v1/events", 401), ("/v1/nothing", 404)):
        answered, headers = await ask(server, "GET", path, Origin=FRIEND)
        assert (answered, headers[MARK], headers["Vary"]) == (status, FRIEND, "Origin")
        assert headers[CREDENTIALS] == "true"
        assert headers["Access-Control-Expose-Headers"] == "Retry-After, Etag, Link, X-Request-Id"


@pytest.mark.parametrize("origin", [STRANGER, "null", FRIEND.replace("https", "http"), FRIEND + ".evil.example"])
async def test_other_pages_are_granted_nothing(server: RunningServer, origin: str) -> None:
    with watched_log("origin_refused") as refused:
        preflight = await ask(server, "OPTIONS", "/v1/posts", Origin=origin, Access_Control_Request_Method="POST")
        status, headers = await ask(server, "GET", "/v1/users/me", Origin=origin)
    own_host = server.url.removeprefix("http://")
    assert [(line["origin"], line["own_host"]) for line in refused] == [(origin, own_host)] * 2
    assert preflight[0] == 204 and status == 401
    for name in (*preflight[1], *headers):
        assert not name.lower().startswith("access-control-")
    assert headers["Vary"] == "Origin", "a cache must not give this answer to an allowed page"


async def test_a_client_without_an_origin_gets_no_cors_headers(server: RunningServer) -> None:
    _, headers = await ask(server, "GET", "/v1/users/me")
    assert MARK not in headers


async def test_only_the_api_is_shared(server: RunningServer) -> None:
    for path in ("/", "/health", "/metrics"):
        status, headers = await ask(server, "GET", path, Origin=FRIEND)
        assert status == 200 and MARK not in headers


async def test_a_page_of_this_server_needs_no_list(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as server:
        assert (await ask(server, "GET", "/v1/users/me", Origin=server.url))[1][MARK] == server.url
        assert MARK not in (await ask(server, "GET", "/v1/users/me", Origin=FRIEND))[1]


async def test_a_star_shares_with_every_page(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url, allowed_origins=("*",))) as server:
        for path in ("/v1/users/me", SOCKETS):
            _, headers = await ask(server, "GET", path, Origin=STRANGER)
            assert headers[MARK] == STRANGER and CREDENTIALS not in headers

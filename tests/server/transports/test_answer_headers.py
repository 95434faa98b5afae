"""What every answer has, on a real port."""

from __future__ import annotations

import pytest
import structlog
from aiohttp import web
from structlog.typing import EventDict, WrappedLogger

from server.features import FEATURES
from tests.kit.log_watch import watched_log
from tests.kit.odd_feature import OddFeature
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.server.transports.test_http_protocol import answers, get, served


@pytest.mark.parametrize("path", ["/v1/users/me", "/v1/nothing", "/nothing", "/health", "/", "/docs", "/openapi.json"])
async def test_every_answer_has_an_id_and_rules_for_browsers(server: RunningServer, path: str) -> None:
    ids = set()
    for _ in range(2):
        async with server.http.get(server.url + path) as response:
            ids.add(response.headers["X-Request-Id"])
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]
    assert len(ids) == 2


@pytest.mark.parametrize(("given", "is_taken"), [("trace-7.a:b/c+d=", True), ("x" * 129, False), ("a b", False)])
async def test_the_id_of_the_client_is_taken_where_it_is_one(server: RunningServer, given: str, is_taken: bool) -> None:
    async with server.http.get(f"{server.url}/v1/users/me", headers={"X-Request-Id": given}) as response:
        assert (response.headers["X-Request-Id"] == given) is is_taken


async def test_a_failure_is_found_in_the_log_by_the_id_of_its_request(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url)
    async with running_server(settings, features=(*FEATURES, OddFeature().feature())) as server:
        me = await server.person("headers.failed")
        headers = {"Authorization": f"Bearer {me.access_token}", "X-Request-Id": "trace-7"}
        with watched_log("command_failed") as lines:
            async with server.http.post(f"{server.url}/v1/odd/crash", headers=headers) as response:
                error = (await response.json())["error"]
    assert response.headers["X-Request-Id"] == lines[0]["incident"] == "trace-7"
    assert error["message"].endswith("trace-7.")


@pytest.mark.parametrize("target", ["/\xff", "/socket.io/?EIO=4&transport=polling", "/socket.io/?EIO=9"])
async def test_answers_outside_the_application_have_them_too(server: RunningServer, target: str) -> None:
    """Malformed requests, and those of the engines."""
    _, headers, _ = await answers(server.node.port, get(target))
    assert headers["x-request-id"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("path", "resource", "opener"),
    [
        ("/v1/users/me", "same-origin", None),
        ("/", "same-origin", "same-origin"),
        ("/docs", "same-origin", "same-origin"),
        ("/openapi.json", "cross-origin", None),
    ],
)
async def test_other_sites_reach_only_the_public_documents(
    server: RunningServer, path: str, resource: str, opener: str | None
) -> None:
    async with server.http.get(server.url + path) as response:
        assert response.headers["Cross-Origin-Resource-Policy"] == resource
        assert response.headers.get("Cross-Origin-Opener-Policy") == opener


async def test_log_lines_have_the_id_of_their_request_alone() -> None:
    seen: list[EventDict] = []

    def watch(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        seen.append(dict(event))
        return event

    async def logs(request: web.Request) -> web.Response:
        structlog.get_logger().info("handled")
        return web.Response()

    processors = structlog.get_config()["processors"]
    processors.insert(processors.index(structlog.contextvars.merge_contextvars) + 1, watch)
    try:
        async with served(logs) as port:
            await answers(port, get("/v1/0", "X-Request-Id: trace-7"))
            structlog.get_logger().info("outside")
    finally:
        processors.remove(watch)
    assert [(line["event"], line.get("request_id")) for line in seen] == [("handled", "trace-7"), ("outside", None)]

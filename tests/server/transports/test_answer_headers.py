"""What every answer has, on a real port."""

from __future__ import annotations

import pytest

from server.features import FEATURES
from tests.kit.log_watch import watched_log
from tests.kit.odd_feature import OddFeature
from tests.kit.server import RunningServer, running_server, settings_for_tests


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

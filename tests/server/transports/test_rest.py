"""REST as any HTTP client sees it: what becomes of paths, queries, bodies and headers, on a real port."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from handlers.posts.contract import POST_CREATE
from realtime.contract.errors import COMMON_ERRORS, ErrorCode
from server.features import FEATURES
from tests.kit.server import RunningServer, running_server, settings_for_tests
from tests.server.echo_feature import ECHO

HEAD = b"POST /v1/echo/7 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
BODY_TIMEOUT_S = 0.2
MEGABYTE = 1_000_000


@pytest_asyncio.fixture
async def api(database_url: str, redis_url: str) -> AsyncIterator[RunningServer]:
    settings = settings_for_tests(database_url, redis_url, body_timeout_s=BODY_TIMEOUT_S)
    async with running_server(settings, features=(*FEATURES, ECHO)) as server:
        yield server


async def send(server: RunningServer, fields: bytes, body: bytes) -> tuple[int, dict[str, Any]]:
    """Status and answer to bytes that no client library would send; the body leaves when the server waits for it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.node.port)
    try:
        writer.write(HEAD + b"Expect: 100-continue\r\n" + fields + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        return int(head.split()[1]), orjson.loads(body)
    finally:
        writer.close()
        await writer.wait_closed()


def assert_refused(answered: tuple[int, dict[str, Any]], status: int, code: str) -> dict[str, Any]:
    assert (answered[0], answered[1]["ok"], answered[1]["error"]["code"]) == (status, False, code), answered
    error: dict[str, Any] = answered[1]["error"]
    return error


async def test_the_path_and_the_body_make_one_payload(api: RunningServer) -> None:
    status, answer = await api.rest("POST", "/echo/7", {"text": "hello", "client_id": "a"})
    assert (status, answer) == (201, {"ok": True, "data": {"thing_id": "7", "text": "hello", "client_id": "a"}})
    assert (await api.rest("PUT", "/echo/7", {"text": "hello"}))[0] == 200


async def test_older_clients_find_the_same_routes_below_their_prefix(api: RunningServer) -> None:
    path = f"{api.url}/api/v1/echo/7"
    async with api.http.post(path, data=b'{"text": "hello"}') as response:
        assert (response.status, (await response.json())["data"]["text"]) == (201, "hello")
    async with api.http.request("PATCH", path) as response:
        assert (response.status, response.headers["Allow"]) == (405, "DELETE, GET, HEAD, OPTIONS, POST, PUT")
    async with api.http.get(f"{api.url}/api/v1/events") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (401, "unauthenticated")


async def test_the_path_and_the_query_make_one_payload(api: RunningServer) -> None:
    for method in ("GET", "DELETE"):
        status, answer = await api.rest(method, "/echo/7", query={"limit": "5", "deep": "true", "text": "12"})
        assert (status, answer["data"]) == (200, {"thing_id": "7", "limit": 5, "deep": True, "text": "12"})
    assert (await api.rest("GET", "/echo/7", query={"deep": "false"}))[1]["data"]["deep"] is False


async def test_a_path_is_decoded_and_a_fixed_part_wins_over_a_placeholder(api: RunningServer) -> None:
    assert (await api.rest("GET", "/echo/%37"))[1]["data"] == {"thing_id": "7"}
    status, me = await (await api.person("rest.fixed")).rest("GET", "/users/me")
    assert (status, me["data"]["user"]["username"]) == (200, "rest.fixed")


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("limit", "abc"),
        ("limit", "101"),
        ("limit", "0"),
        ("limit", "-1"),
        ("limit", "5.0"),
        ("limit", ""),
        ("limit", "٥"),
        ("limit", "9" * 30),
        ("limit", "9" * 5_000),
        ("deep", "yes"),
        ("deep", "True"),
        ("color", "red"),
    ],
)
async def test_a_bad_query_field_is_named(api: RunningServer, field: str, text: str) -> None:
    error = assert_refused(await api.rest("GET", "/echo/7", query={field: text}), 422, "invalid_payload")
    assert list(error["fields"]) == [field]


async def test_a_field_is_given_once(api: RunningServer) -> None:
    assert_refused(await api.rest("GET", "/echo/7?limit=5&limit=5"), 422, "invalid_payload")
    assert_refused(await api.rest("GET", "/echo/7", query={"thing_id": "7"}), 422, "invalid_payload")
    body = {"thing_id": "7", "text": "hello"}
    assert_refused(await api.rest("POST", "/echo/7", body), 422, "invalid_payload")


async def test_what_has_a_body_takes_nothing_from_the_query(api: RunningServer) -> None:
    for method, path in (("POST", "/echo/7?text=hi"), ("PUT", "/echo/7?surprise=1")):
        assert_refused(await api.rest(method, path, {"text": "hello"}), 422, "invalid_payload")


async def test_a_path_with_the_caller_in_it_is_theirs_alone(api: RunningServer) -> None:
    me, other = await api.people("rest.owner", "rest.other")
    for path in (f"/users/{me.id}", "/users/me"):
        assert (await me.rest("PUT", path, {"bio": "Mine"}))[0] == 200
    assert_refused(await other.rest("PUT", f"/users/{me.id}", {"bio": "Not mine"}), 403, "forbidden")
    assert_refused(await api.rest("PUT", f"/users/{me.id}", {"bio": "Not mine"}), 401, "unauthenticated")
    assert (await me.rest("GET", f"/users/{me.id}"))[1]["data"]["user"]["bio"] == "Mine"


async def test_old_clients_follow_by_their_own_names_for_it(api: RunningServer) -> None:
    me, other = await api.people("rest.fan", "rest.star")
    for path, body in (
        (f"/users/{me.id}/follows", {"followed_user_id": other.id}),
        ("/follow", {"followee_id": other.id}),
    ):
        status, answer = await me.rest("POST", path, body)
        assert (status, answer["data"]["following"]) == (200, True)
        assert_refused(await other.rest("DELETE", f"/users/{me.id}/follows/{other.id}"), 403, "forbidden")
        status, answer = await me.rest("DELETE", f"/users/{me.id}/follows/{other.id}")
        assert (status, answer["data"]["following"]) == (200, False)
    # Beside the old name of the other one, `user_id` is the caller.
    both = {"followee_id": other.id, "user_id": other.id}
    assert_refused(await me.rest("POST", "/follow", both), 403, "forbidden")
    both = {"followee_id": other.id, "followed_user_id": other.id}
    assert_refused(await me.rest("POST", "/follow", both), 422, "invalid_payload")


@pytest.mark.parametrize("where", ["query", "body"])
async def test_who_acts_may_be_named_where_it_is_the_caller(api: RunningServer, where: str) -> None:
    me, other = await api.people(f"rest.me.{where}", f"rest.they.{where}")
    _, posted = await other.rest("POST", "/posts", {"text": "Like this"})
    post_id = posted["data"]["post"]["id"]

    async def ask(method: str, path: str, user_id: str, fields: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if where == "query":
            return await me.rest(method, path, fields or None, query={"user_id": user_id})
        return await me.rest(method, path, {**fields, "user_id": user_id})

    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("POST", f"/users/{other.id}/follow", {}),
        ("POST", "/posts", {"text": "Mine"}),
        ("POST", f"/posts/{post_id}/likes", {}),
        ("POST", f"/posts/{post_id}/comments", {"text": "Yes"}),
        ("DELETE", f"/posts/{post_id}/likes", {}),
    ]
    for method, path, fields in calls:
        for not_own in (other.id, "", "0"):
            assert_refused(await ask(method, path, not_own, fields), 403, "forbidden")
        for own in (me.id, "me"):
            assert (await ask(method, path, own, fields))[1]["ok"], path


async def test_who_acts_is_not_guessed_from_odd_values(api: RunningServer) -> None:
    me = await api.person("rest.odd")
    odd_values: list[object] = [None, 7, True, ["1"], {}]
    for odd in odd_values:
        assert_refused(await me.rest("POST", "/posts", {"text": "x", "user_id": odd}), 403, "forbidden")
    assert_refused(await api.rest("POST", "/posts", {"text": "x", "user_id": me.id}), 401, "unauthenticated")
    twice = await me.rest("DELETE", "/posts/1/likes", {"user_id": me.id}, query={"user_id": me.id})
    assert_refused(twice, 422, "invalid_payload")
    nobody_acts = {"login": "x", "password": "x", "user_id": "1"}
    assert_refused(await api.rest("POST", "/auth/login", nobody_acts), 422, "invalid_payload")


async def test_a_call_for_somebody_else_counts_like_any_other(database_url: str, redis_url: str) -> None:
    async with running_server(settings_for_tests(database_url, redis_url)) as generous:
        me = await generous.person("rest.count")
    async with running_server(settings_for_tests(database_url, redis_url, rate_limit_factor=0.0001)) as strict:
        for status, code in ((403, "forbidden"), (429, "rate_limited")):
            answered = await strict.rest("GET", "/feed", query={"user_id": "1"}, token=me.access_token)
            assert_refused(answered, status, code)


async def test_the_idempotency_key_is_the_client_id(api: RunningServer) -> None:
    key = {"Idempotency-Key": "a"}
    _, answer = await api.rest("POST", "/echo/7", {"text": "hello"}, headers=key)
    assert answer["data"]["client_id"] == "a"
    status, answer = await api.rest("POST", "/echo/7", {"text": "hello", "client_id": "a"}, headers=key)
    assert (status, answer["data"]["client_id"]) == (201, "a")
    assert_refused(
        await api.rest("POST", "/echo/7", {"text": "hello", "client_id": "b"}, headers=key), 422, "invalid_payload"
    )
    assert_refused(
        await api.rest("POST", "/echo/7", {"text": "hello"}, headers={"Idempotency-Key": "x" * 65}),
        422,
        "invalid_payload",
    )
    status, _ = await api.rest("GET", "/echo/7", headers=key)
    assert status == 200, "where nothing is created the key means nothing"


async def test_a_repeated_key_creates_once(api: RunningServer) -> None:
    person = await api.person("rest.key")
    first, again = [
        await api.rest("POST", "/posts", {"text": "once"}, token=person.access_token, headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]
    assert first == again and first[0] == 201


@pytest.mark.parametrize("code", COMMON_ERRORS, ids=lambda code: code.code)
async def test_every_error_has_its_status_and_its_retry_time(api: RunningServer, code: ErrorCode) -> None:
    async with api.http.get(f"{api.url}/v1/fail", params={"code": code.code}) as response:
        error = orjson.loads(await response.read())["error"]
    assert (response.status, error["code"], error["retryable"]) == (code.status, code.code, code.retryable)
    assert response.headers.get("Retry-After") == ("3" if code.retryable else None)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers.get("WWW-Authenticate") == ("Bearer" if code.status == 401 else None)
    assert response.content_type == "application/json"


async def test_retry_after_is_in_whole_seconds(database_url: str, redis_url: str) -> None:
    settings = settings_for_tests(database_url, redis_url, rate_limit_factor=0.0001)
    async with running_server(settings, features=(*FEATURES, ECHO)) as server:
        for status in (200, 429):
            async with server.http.get(f"{server.url}/v1/echo/7") as response:
                error = orjson.loads(await response.read()).get("error")
            assert response.status == status
        assert 0 < int(response.headers["Retry-After"]) * 1000 - error["retry_after_ms"] + 1 <= 1_000


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/nothing"), ("GET", "/"), ("POST", "/nothing"), ("OPTIONS", "/nothing"), ("GET", "/feed/")],
)
async def test_an_unknown_route_is_answered_like_an_unknown_command(api: RunningServer, method: str, path: str) -> None:
    assert_refused(await api.rest(method, path), 404, "unknown_command")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/users/me", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"),
        ("TRACE", "/echo/7", "DELETE, GET, HEAD, OPTIONS, POST, PUT"),
        ("GET", "/auth/login", "OPTIONS, POST"),
        ("POST", "/events", "GET, OPTIONS"),
        ("HEAD", "/events", "GET, OPTIONS"),
    ],
)
async def test_a_wrong_method_is_answered_with_the_allowed_ones(
    api: RunningServer, method: str, path: str, allow: str
) -> None:
    async with api.http.request(method, f"{api.url}/v1{path}") as response:
        body = await response.read()
        assert (response.status, response.headers["Allow"]) == (405, allow)
    if method != "HEAD":
        assert_refused((405, orjson.loads(body)), 405, "unknown_command")


async def test_the_options_of_a_route_are_its_methods(api: RunningServer) -> None:
    async with api.http.options(f"{api.url}/v1/echo/7") as response:
        assert (response.status, await response.read()) == (204, b"")
        assert response.headers["Allow"] == "DELETE, GET, HEAD, OPTIONS, POST, PUT"
    async with api.http.options(f"{api.url}/health") as response:
        assert (response.status, response.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "application/x-www-form-urlencoded"])
async def test_a_body_of_another_type_is_refused(api: RunningServer, kind: str) -> None:
    headers = {"Content-Type": kind}
    async with api.http.post(f"{api.url}/v1/echo/7", data=b'{"text": "hello"}', headers=headers) as response:
        assert_refused((response.status, await response.json()), 415, "invalid_payload")


@pytest.mark.parametrize(
    ("accept", "status"),
    [("text/html", 406), ("application/json;q=0, text/*", 406), ("text/html, */*;q=0.1", 200), ("application/*", 200)],
)
async def test_who_takes_no_json_is_refused(api: RunningServer, accept: str, status: int) -> None:
    async with api.http.get(f"{api.url}/v1/echo/7", headers={"Accept": accept}) as response:
        assert (response.status, (await response.json())["ok"]) == (status, status == 200)


async def test_head_is_get_without_the_body(api: RunningServer) -> None:
    url = f"{api.url}/v1/echo/7"
    async with api.http.get(url) as got, api.http.head(url) as asked:
        assert (asked.status, await asked.read()) == (200, b"")
        assert asked.headers["Content-Length"] == got.headers["Content-Length"]
    async with api.http.head(f"{api.url}/v1/users/me") as refused:
        assert (refused.status, await refused.read()) == (401, b"")


@pytest.mark.parametrize("body", [b"{", b"text=hello", b'{"text": "\xff"}', b"\x00", b'{"text": NaN}', b"[" * 5_000])
async def test_what_is_not_json_is_refused(api: RunningServer, body: bytes) -> None:
    async with api.http.post(f"{api.url}/v1/echo/7", data=body) as response:
        assert_refused((response.status, orjson.loads(await response.read())), 422, "invalid_payload")


@pytest.mark.parametrize("body", [b"[]", b'"text"', b"null", b"5"])
async def test_what_is_not_an_object_is_refused(api: RunningServer, body: bytes) -> None:
    async with api.http.post(f"{api.url}/v1/echo/7", data=body) as response:
        assert_refused((response.status, orjson.loads(await response.read())), 422, "invalid_payload")


async def test_no_body_is_an_empty_object(api: RunningServer) -> None:
    error = assert_refused(await api.rest("POST", "/echo/7"), 422, "invalid_payload")
    assert list(error["fields"]) == ["text"]


async def test_a_body_of_a_megabyte_is_accepted_and_a_larger_one_is_not(api: RunningServer) -> None:
    """With Content-Length and without it."""

    async def chunks(body: bytes) -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    for size_bytes, status in ((MEGABYTE, 201), (MEGABYTE + 1, 413)):
        body = orjson.dumps({"text": ""})
        body = body.replace(b'""', b'"' + b"x" * (size_bytes - len(body)) + b'"')
        assert len(body) == size_bytes
        for data in (body, chunks(body)):
            async with api.http.post(f"{api.url}/v1/echo/7", data=data) as response:
                answer = orjson.loads(await response.read())
            assert response.status == status, answer.get("error")


async def test_a_body_over_the_limit_of_its_command_is_too_large(api: RunningServer) -> None:
    person = await api.person("rest.large")
    assert_refused(await person.rest("POST", "/posts", {"text": "x" * POST_CREATE.max_bytes}), 413, "too_large")


async def test_a_compressed_body_is_not_unpacked(api: RunningServer) -> None:
    body = gzip.compress(orjson.dumps({"text": "x" * 20 * MEGABYTE}))
    headers = {"Content-Encoding": "gzip"}
    async with api.http.post(f"{api.url}/v1/echo/7", data=body, headers=headers) as response:
        assert_refused((response.status, orjson.loads(await response.read())), 422, "invalid_payload")


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        (b"Content-Length: 100", b'{"text"'),
        (b"Transfer-Encoding: chunked", b'9\r\n{"text": \r\nthis is no chunk\r\n'),
    ],
    ids=["too short", "bad chunk"],
)
async def test_a_body_that_cannot_be_read_is_refused(
    api: RunningServer, caplog: pytest.LogCaptureFixture, fields: bytes, body: bytes
) -> None:
    assert_refused(await send(api, fields, body), 422, "invalid_payload")
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_a_client_that_disconnects_in_the_middle_of_its_body_causes_no_error(
    api: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", api.node.port)
    writer.write(HEAD + b'Content-Length: 100\r\n\r\n{"text"')
    await writer.drain()
    await asyncio.sleep(0.02)
    writer.transport.abort()
    assert (await api.rest("GET", "/echo/7"))[0] == 200
    await asyncio.sleep(BODY_TIMEOUT_S)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


async def test_only_a_bearer_token_authenticates(api: RunningServer) -> None:
    token = (await api.person("rest.auth")).access_token
    for value in ("", "Bearer", "Basic Zm9vOmJhcg==", f"Token {token}", token, "Bearer x", f"Bearer {token} x"):
        headers = {"Authorization": value}
        assert_refused(await api.rest("GET", "/users/me", headers=headers), 401, "unauthenticated")
        assert (await api.rest("GET", "/echo/7", headers=headers))[0] == 200, "nobody needs a token here"


async def test_the_scheme_is_read_without_regard_to_case(api: RunningServer) -> None:
    person = await api.person("rest.case")
    for scheme in ("bearer", "BEARER", "Bearer "):
        status, _ = await api.rest("GET", "/users/me", headers={"Authorization": f"{scheme} {person.access_token}"})
        assert status == 200

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from realtime.engine.http.origins import OriginPolicy
from realtime.engine.http.sharing import preflight, share_with_page

NAMED = "https://a.example"


def shared(origin: str | None, *allowed: str) -> dict[str, str]:
    response = web.Response()
    share_with_page(response, origin, OriginPolicy(allowed))
    return {name: value for name, value in response.headers.items() if name.startswith(("Access", "Vary"))}


def test_a_page_may_read_what_its_origin_is_named_on() -> None:
    assert shared(NAMED, NAMED) == {
        "Vary": "Origin",
        "Access-Control-Allow-Origin": NAMED,
        "Access-Control-Allow-Credentials": "true",
    }


def test_a_page_that_only_a_star_allows_gets_no_credentials() -> None:
    assert shared(NAMED, "*") == {"Vary": "Origin", "Access-Control-Allow-Origin": NAMED}


def test_nothing_is_shared_without_a_page() -> None:
    assert shared(None, "*") == {"Vary": "Origin"}


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, "X-Ours"),
        ("baggage,sentry-trace, traceparent", "X-Ours, baggage,sentry-trace, traceparent"),
        ("", "X-Ours"),
        ("bad name", "X-Ours"),
        ("a,,b", "X-Ours"),
        ("x" * 3_000, "X-Ours"),
    ],
)
def test_a_preflight_grants_the_headers_that_it_asks_for(asked: str | None, granted: str) -> None:
    headers = {} if asked is None else {"Access-Control-Request-Headers": asked}
    answer = preflight(make_mocked_request("OPTIONS", "/", headers), methods=("GET", "PUT"), headers=("X-Ours",))
    assert answer.headers["Access-Control-Allow-Headers"] == granted
    assert (answer.status, answer.headers["Access-Control-Allow-Methods"]) == (204, "GET, PUT")

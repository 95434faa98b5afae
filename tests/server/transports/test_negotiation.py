from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from server.transports.negotiation import EVENTS, JSON, sends_readable_body, takes, takes_gzip


@pytest.mark.parametrize(
    ("accept", "does"),
    [
        (None, True),
        ("*/*", True),
        ("text/html, application/json;q=0.9", True),
        ("APPLICATION/JSON", True),
        ("application/json;q=what", True),
        ("text/html", False),
        ("application/json;q=0", False),
        ("application/json;q=0, */*", False),
        ("application/*;q=0, application/json", True),
        ("", True),
    ],
)
def test_whether_a_client_takes_json(accept: str | None, does: bool) -> None:
    headers = {} if accept is None else {"Accept": accept}
    assert takes(make_mocked_request("GET", "/", headers), JSON) is does


def test_a_browser_takes_events() -> None:
    assert takes(make_mocked_request("GET", "/", {"Accept": "text/event-stream"}), EVENTS)
    assert not takes(make_mocked_request("GET", "/", {"Accept": "application/json"}), EVENTS)


@pytest.mark.parametrize(
    ("codings", "takes"),
    [("gzip", True), ("br, GZIP;q=0.5", True), ("gzip;q=0", False), ("identity", False), (None, False)],
)
def test_whether_a_client_takes_gzip(codings: str | None, takes: bool) -> None:
    headers = {} if codings is None else {"Accept-Encoding": codings}
    assert takes_gzip(make_mocked_request("GET", "/", headers)) is takes


def test_a_request_without_a_body_may_have_any_type() -> None:
    assert sends_readable_body(make_mocked_request("POST", "/", {"Content-Type": "text/plain"}), takes_forms=False)
